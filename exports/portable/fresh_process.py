"""Runs an ONNX or LiteRT file as its users do. Run as a script, in a process of its own.

    python fresh_process.py FILE CALLS.npz REPLIES.npz

Arrays are called by the number of the call and their name, `0/token_ids`. Nothing of this project
and no TensorFlow is imported.
"""

import sys

import numpy as np


def run_onnx(path: str, calls: list[dict]) -> list[dict]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return [dict(zip(names, session.run(names, call), strict=True)) for call in calls]


def run_litert(path: str, calls: list[dict]) -> list[dict]:
    from ai_edge_litert.interpreter import Interpreter

    signature = Interpreter(model_path=path).get_signature_runner("serving_default")
    return [signature(**call) for call in calls]


def main() -> None:
    path, calls_path, replies_path = sys.argv[1:]
    calls: dict[str, dict] = {}
    with np.load(calls_path) as arrays:
        for key in arrays.files:
            number, name = key.split("/")
            calls.setdefault(number, {})[name] = arrays[key]
    run = run_onnx if path.endswith(".onnx") else run_litert
    replies = run(path, list(calls.values()))
    flat = {
        f"{number}/{name}": array
        for number, reply in zip(calls, replies, strict=True)
        for name, array in reply.items()
    }
    np.savez(replies_path, **flat)
    foreign = {"keras_bert", "exports", "tensorflow"} & set(sys.modules)
    if foreign:
        sys.exit(f"the process imported {', '.join(sorted(foreign))}")


if __name__ == "__main__":
    main()
