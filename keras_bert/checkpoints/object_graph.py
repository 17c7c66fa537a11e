"""TensorFlow's object-based checkpoints: objects that hold each other by name.

A variable has one key in the file but may be reached by several ways, one for each object that
holds it; the key is that of any of them. So variables are looked up by their way.
"""

from typing import Any

KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"


class ObjectGraph:
    """Which object of a checkpoint holds which, by what name.

    Objects are numbered; the root is 0.

    Args:
        reader: TensorFlow's reader of the checkpoint, see `tf.train.load_checkpoint`.

    References:
        - `trackable_object_graph.proto` of TensorFlow.
    """

    def __init__(self, reader: Any):
        from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

        nodes = TrackableObjectGraph.FromString(reader.get_tensor(KEY)).nodes
        self._held = [
            {child.local_name: child.node_id for child in node.children} for node in nodes
        ]
        self._keys = [[part.checkpoint_key for part in node.attributes] for node in nodes]

    def names(self, holder: int, path: str = "") -> list[str]:
        """Returns the names by which the object at `path` holds others; none if it is missing."""
        node = self._at(holder, path)
        return [] if node is None else list(self._held[node])

    def keys(self, holder: int, paths: dict[str, str]) -> dict[str, str]:
        """Returns the keys in the file of the variables at `paths`, as far as they are there."""
        nodes = {name: self._at(holder, path) for name, path in paths.items()}
        return {name: self._keys[n][0] for name, n in nodes.items() if n and self._keys[n]}

    def holder_of(self, *names: str, within: tuple[str, ...]) -> int | None:
        """Returns the first object that holds one by any of `names`.

        Args:
            names: Names to look for.
            within: Names of objects to look into, from the root on.
        """
        waiting = [0]
        for node in waiting:
            held = self._held[node]
            if any(name in held for name in names):
                return node
            waiting += [held[name] for name in within if name in held]
        return None

    def _at(self, holder: int, path: str) -> int | None:
        node: int | None = holder
        for part in filter(None, path.split("/")):
            node = None if node is None else self._held[node].get(part)
        return node


def hold(holder: Any, path: str, value: Any) -> None:
    """Lets a `tf.Module` hold a value at a path, through modules made on the way."""
    import tensorflow as tf

    *parents, last = path.split("/")
    for parent in parents:
        if not hasattr(holder, parent):
            setattr(holder, parent, tf.Module())
        holder = getattr(holder, parent)
    setattr(holder, last, value)
