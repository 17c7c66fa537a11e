"""What the processes of one training tell each other."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from keras_bert.errors import InputError

_LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError)


class Workers:
    """The processes that train one model: they go on and stop at the same step.

    Every process must call each method as often as the others, in the same order. With one process
    they return at once what they were given.

    Args:
        strategy: `tf.distribute.Strategy` of the model; None for one process.

    Attributes:
        is_chief: bool. Whether this process writes the run directory.
        count: int. Processes.

    Example:

    ```python
    workers = Workers(strategy)
    if workers.any(must_stop):          # True for all if it is true for one of them.
        ...
    ```
    """

    def __init__(self, strategy: tf.distribute.Strategy | None = None):
        resolver = getattr(strategy, "cluster_resolver", None)
        specification = resolver.cluster_spec() if resolver else None
        is_cluster = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
        self.count = 1
        if is_cluster and specification:
            self.count = len(specification.as_dict().get("chief", ()))
            self.count += len(specification.as_dict().get("worker", ()))
        self.is_chief = self.count == 1 or strategy.extended.should_checkpoint
        self._strategy = strategy
        self._sum = None

    def any(self, flag: bool) -> bool:
        """Returns whether the flag is true in one of the processes at least."""
        return bool(flag) if self.count == 1 else self._summed(int(flag)) > 0

    def of_chief(self, number: int) -> int:
        """Returns the chief's number to all."""
        if self.count == 1:
            return number
        return self._summed(number if self.is_chief else 0)

    def wait(self) -> None:
        """Returns once every process is here."""
        self.any(False)

    def _summed(self, number: int) -> int:
        """The sum over the processes; a process with several devices gives it on the first."""
        if self._sum is None:
            strategy = self._strategy

            def sum_of_replicas(number):
                context = tf.distribute.get_replica_context()
                devices = strategy.num_replicas_in_sync // self.count
                is_first = context.replica_id_in_sync_group % devices == 0
                own = tf.where(is_first, number, tf.zeros_like(number))
                return context.all_reduce(tf.distribute.ReduceOp.SUM, own)

            self._sum = tf.function(
                lambda number: strategy.experimental_local_results(
                    strategy.run(sum_of_replicas, args=(number,))
                )[0]
            )
        with self.connected():
            return int(self._sum(tf.constant(number, tf.int64)))

    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        """Turns the loss of another process into an `InputError` of one line."""
        try:
            yield
        except (
            tf.errors.UnavailableError,
            tf.errors.AbortedError,
            tf.errors.CancelledError,
        ) as error:
            if self.count == 1:
                raise
            raise InputError(
                "another worker of this training has stopped or cannot be reached; start all of "
                "them again by the same command, which goes on from the newest checkpoint"
            ) from error
