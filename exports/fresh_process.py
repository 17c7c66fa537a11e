"""Loads a SavedModel the way others do. Run as a script, in a process of its own.

    python fresh_process.py VERSION_DIRECTORY < calls.json > replies.json

`calls.json` holds the inputs for each signature, `{"calls": {signature: {input: values}}}`, and
inputs of `serving_default` to measure memory with, `{"side_by_side": [{input: values}, ...]}`.

Only TensorFlow and tensorflow-text are imported, as on a server; nothing of this project, which
is why the script is started by its path and not as a module of its package.
"""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf


def operations(directory: str) -> list[str]:
    """Names of all operations of a SavedModel."""
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
    return sorted(names)


def foreign(names: list[str]) -> list[str]:
    """Those that TensorFlow alone does not know."""
    return [name for name in names if not hasattr(tf.raw_ops, name)]


def load_in_python(directory: str, calls: dict[str, dict]) -> dict[str, dict]:
    """`tf.saved_model.load`, as a Python user calls it: the reply of each signature."""
    return replies_of(tf.saved_model.load(directory), calls)


def replies_of(loaded, calls: dict[str, dict]) -> dict[str, dict]:
    """The reply of each signature of a loaded model."""
    replies = {}
    for name in loaded.signatures:
        if name not in calls:
            sys.exit(f"there is no probe for the signature {name!r}")
        function = loaded.signatures[name]
        specs = function.structured_input_signature[1]
        inputs = {key: tf.constant(calls[name][key], spec.dtype) for key, spec in specs.items()}
        reply = function(**inputs)
        replies[name] = _told({key: tensor.numpy() for key, tensor in reply.items()})
    return replies


def load_in_session(
    directory: str, calls: dict[str, dict], side_by_side: list[dict] | tuple = ()
) -> tuple[dict[str, dict], dict, dict[str, int]]:
    """The session loader, the way that TensorFlow Serving takes.

    Returns:
        Replies; all signatures; bytes of memory held at most before the version was loaded
        (`tensorflow`), after it had answered the calls (`loaded`), and after it had answered those
        of `side_by_side` at the same time (`peak`).
    """
    replies, memory = {}, {"tensorflow": most_memory()}
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.loader.load(session, ["serve"], directory)

        def reply(name, call):
            signature = graph.signature_def[name]
            outputs = {key: info.name for key, info in signature.outputs.items()}
            feeds = {info.name: call[key] for key, info in signature.inputs.items()}
            return session.run(outputs, feeds)

        described = _described(graph)
        for name in described:
            replies[name] = _told(reply(name, calls[name]))
        memory["loaded"] = most_memory()
        if side_by_side:
            with ThreadPoolExecutor(len(side_by_side)) as pool:
                list(pool.map(lambda call: reply("serving_default", call), side_by_side))
        memory["peak"] = most_memory()
    return replies, described, memory


def most_memory() -> int:
    """Bytes that this process has held at most."""
    try:
        # Not `getrusage`, which on Linux counts what the process that started this one held.
        with open("/proc/self/status") as file:
            return 1024 * next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else 1024 * most


def _described(graph) -> dict:
    """Names, types and shapes of what each signature of a meta graph takes and returns."""
    return {
        name: {"inputs": _specs(signature.inputs), "outputs": _specs(signature.outputs)}
        for name, signature in graph.signature_def.items()
        if not name.startswith("__")
    }


def _specs(tensors) -> dict:
    return {
        key: {
            "dtype": tf.dtypes.as_dtype(info.dtype).name,
            "shape": [None if d.size == -1 else d.size for d in info.tensor_shape.dim],
        }
        for key, info in tensors.items()
    }


def _told(reply: dict) -> dict:
    """Arrays as JSON: shape and flat values, bytes as text with surrogates for what is none."""
    told = {}
    for name, array in reply.items():
        values = array.reshape(-1).tolist()
        is_text = array.dtype == object
        if is_text:
            values = [value.decode("utf-8", "surrogateescape") for value in values]
        told[name] = {"shape": list(array.shape), "text": is_text, "values": values}
    return told


def main() -> None:
    directory = sys.argv[1]
    given = json.load(sys.stdin)
    calls = given["calls"]
    names = operations(directory)
    answer = {"operations": names, "foreign_operations": foreign(names)}
    import tensorflow_text  # noqa: F401 - registers its operations

    # The session first: it gives its memory back, which TensorFlow's eager functions do not.
    answer["session"], answer["signatures"], answer["memory"] = load_in_session(
        directory, calls, given["side_by_side"]
    )
    answer["python"] = load_in_python(directory, calls)
    answer["modules"] = sorted(set(sys.modules) & {"keras_bert", "data_gen", "exports"})
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
