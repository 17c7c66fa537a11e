"""Loads a SavedModel the way others do. Run as a script, in a process of its own.

    python fresh_process.py VERSION_DIRECTORY < calls.json > replies.json

`calls.json` holds the inputs for each signature, `{signature: {input: values}}`.

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


def load_in_python(directory: str, calls: dict[str, dict]) -> dict[str, dict]:
    """`tf.saved_model.load`, as a Python user calls it: the reply of each signature."""
    loaded = tf.saved_model.load(directory)
    replies = {}
    for name in loaded.signatures:
        if name not in calls:
            sys.exit(f"there is no probe for the signature {name!r}")
        function = loaded.signatures[name]
        specs = function.structured_input_signature[1]
        inputs = {key: tf.constant(calls[name][key], spec.dtype) for key, spec in specs.items()}
        reply = function(**inputs)
        replies[name] = _as_lists({key: tensor.numpy() for key, tensor in reply.items()})
    return replies


def load_in_session(directory: str, calls: dict[str, dict]) -> tuple[dict[str, dict], dict]:
    """The session loader, the way that TensorFlow Serving takes: replies and all signatures."""
    replies = {}
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.loader.load(session, ["serve"], directory)
        inputs = _inputs(graph)
        for name in inputs:
            signature = graph.signature_def[name]
            outputs = {key: info.name for key, info in signature.outputs.items()}
            feeds = {info.name: calls[name][key] for key, info in signature.inputs.items()}
            replies[name] = _as_lists(session.run(outputs, feeds))
    return replies, inputs


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
    calls = json.load(sys.stdin)
    answer = {"foreign_operations": operations(directory)}
    import tensorflow_text  # noqa: F401 - registers its operations

    answer["python"] = load_in_python(directory, calls)
    answer["session"], answer["signatures"] = load_in_session(directory, calls)
    answer["modules"] = sorted(set(sys.modules) & {"keras_bert", "data_gen", "exports"})
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
