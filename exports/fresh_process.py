"""Loads a SavedModel the way others do. Run as a script, in a process of its own.

    python fresh_process.py VERSION_DIRECTORY < probes.json > replies.json

Only TensorFlow and tensorflow-text are imported, as on a server; nothing of this project, which
is why the script is started by its path and not as a module of its package.
"""

import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf


def operations(directory: str) -> list[str]:
    """Names of all operations that TensorFlow alone does not know."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved_model = saved_model_pb2.SavedModel()
    with open(os.path.join(directory, "saved_model.pb"), "rb") as file:
        saved_model.ParseFromString(file.read())
    names = set()
    for meta_graph in saved_model.meta_graphs:
        graph = meta_graph.graph_def
        functions = {function.signature.name for function in graph.library.function}
        nodes = list(graph.node)
        for function in graph.library.function:
            nodes += function.node_def
        names |= {node.op for node in nodes} - functions
    return sorted(name for name in names if not hasattr(tf.raw_ops, name))


def load_in_python(directory: str, probes: list[str]) -> dict:
    """`tf.saved_model.load`, as a Python user calls it."""
    loaded = tf.saved_model.load(directory)
    reply = loaded.signatures["serving_default"](text=tf.constant(probes))
    return _as_lists({name: tensor.numpy() for name, tensor in reply.items()})


def load_in_session(directory: str, probes: list[str]) -> tuple[dict, dict]:
    """The session loader, the way that TensorFlow Serving takes: reply and all signatures."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.loader.load(session, ["serve"], directory)
        signature = graph.signature_def["serving_default"]
        outputs = {name: info.name for name, info in signature.outputs.items()}
        reply = session.run(outputs, {signature.inputs["text"].name: probes})
    return _as_lists(reply), _inputs(graph)


def _inputs(graph) -> dict:
    """Names, types and shapes of what each signature of a meta graph takes."""
    described = {}
    for name, signature in graph.signature_def.items():
        if name.startswith("__"):
            continue
        described[name] = {
            key: {
                "dtype": tf.dtypes.as_dtype(info.dtype).name,
                "shape": [None if d.size == -1 else d.size for d in info.tensor_shape.dim],
            }
            for key, info in signature.inputs.items()
        }
    return described


def _as_lists(reply: dict) -> dict:
    return {
        name: [
            [item.decode() if isinstance(item, bytes) else float(item) for item in row]
            if array.ndim == 2
            else row.decode()
            for row in array
        ]
        for name, array in reply.items()
    }


def main() -> None:
    directory = sys.argv[1]
    probes = json.load(sys.stdin)
    answer = {"foreign_operations": operations(directory)}
    import tensorflow_text  # noqa: F401 - registers its operations

    answer["python"] = load_in_python(directory, probes)
    answer["session"], answer["signatures"] = load_in_session(directory, probes)
    answer["modules"] = sorted(set(sys.modules) & {"keras_bert", "data_gen", "exports"})
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
