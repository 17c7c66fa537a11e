"""Where a model trains: devices and precision."""

import json
import os
import sys

import keras
import tensorflow as tf

from keras_bert.errors import InputError

SUPPORTED = ("auto", "one_device", "mirrored", "multi_worker", "tpu")


def make_strategy(name: str, batch_size: int) -> tf.distribute.Strategy:
    """Returns the strategy of a `--strategy` flag.

    Args:
        name: str. `"one_device"`; `"mirrored"`, all devices of this machine; `"multi_worker"`, all
            machines of a cluster that `TF_CONFIG`, Slurm or Kubernetes describe; `"tpu"`; or
            `"auto"`, which takes what it finds and prints why.
        batch_size: int. Examples of a step on all devices together.

    Raises:
        InputError: If the batch cannot be shared equally, or what the strategy needs is not there.
    """
    if name not in SUPPORTED:
        raise InputError(f"`strategy` must be one of {', '.join(SUPPORTED)}. Received: {name!r}")
    _refuse_parameter_servers()
    if name == "auto":
        name, reason = _found()
        print(f"strategy: {name}, because {reason}", file=sys.stderr, flush=True)
    if name == "one_device":
        # The default strategy: TensorFlow takes the first GPU by itself. Under OneDeviceStrategy
        # Keras counts the end of the data as one more batch, of loss zero.
        return tf.distribute.get_strategy()
    strategy = {"mirrored": _mirrored, "multi_worker": _multi_worker, "tpu": _tpu}[name]()
    if batch_size % strategy.num_replicas_in_sync:
        raise InputError(
            "`batch_size` must be a multiple of the number of devices. Received: "
            f"batch_size={batch_size}, devices={strategy.num_replicas_in_sync}"
        )
    return strategy


def several_workers(name: str) -> str | None:
    """Returns where it says that several processes train together; None where one does.

    Args:
        name: str. As `make_strategy` takes it.

    Raises:
        InputError: If `TF_CONFIG` is damaged.
    """
    if name not in ("auto", "multi_worker"):
        return None
    workers = _configured_workers()
    if workers:
        return f"TF_CONFIG names {workers} workers" if workers > 1 else None
    tasks = os.environ.get("SLURM_NTASKS", "1")
    if "SLURM_PROCID" in os.environ:
        return f"Slurm runs {tasks} tasks" if tasks.isdigit() and int(tasks) > 1 else None
    if name == "multi_worker" and "KUBERNETES_SERVICE_HOST" in os.environ:
        return "Kubernetes runs pods with KERAS_BERT_TASK_INDEX"
    return None


def _found() -> tuple[str, str]:
    """The strategy for what is here, and why."""
    if reason := several_workers("auto"):
        return "multi_worker", reason
    if os.environ.get("TPU_NAME") or tf.config.list_physical_devices("TPU"):
        return "tpu", "there is a TPU"
    gpus = len(tf.config.list_physical_devices("GPU"))
    if gpus > 1:
        return "mirrored", f"there are {gpus} GPUs"
    return "one_device", "there is one GPU" if gpus else "there is no GPU"


def _cluster() -> dict:
    text = os.environ.get("TF_CONFIG") or "{}"
    try:
        configuration = json.loads(text)
        cluster, task = configuration.get("cluster", {}), configuration.get("task", {})
        if not isinstance(cluster, dict) or not isinstance(task, dict):
            raise ValueError
    except (ValueError, AttributeError):
        raise InputError(
            "`TF_CONFIG` must be JSON with `cluster` and `task`, both objects. "
            f"Received: {text[:200]}"
        ) from None
    return {"cluster": cluster, "task": task}


def _configured_workers() -> int:
    cluster = _cluster()["cluster"]
    return sum(len(cluster.get(job, ())) for job in ("chief", "worker"))


def _refuse_parameter_servers() -> None:
    configuration = _cluster()
    if "ps" in configuration["cluster"] or configuration["task"].get("type") == "ps":
        raise InputError(
            "`TF_CONFIG` must not name parameter servers (`ps`), under which Keras 3 does not "
            f"train; supported: {', '.join(SUPPORTED)}. Received: {configuration['cluster']}"
        )


def _mirrored() -> tf.distribute.Strategy:
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def _multi_worker() -> tf.distribute.Strategy:
    resolvers = tf.distribute.cluster_resolver
    if _configured_workers():
        resolver = resolvers.TFConfigClusterResolver()
    elif "SLURM_PROCID" in os.environ:
        resolver = resolvers.SlurmClusterResolver()
    elif "KUBERNETES_SERVICE_HOST" in os.environ and os.environ.get("KERAS_BERT_TASK_INDEX"):
        # The pods carry TensorFlow's usual label, job-name=tensorflow.
        resolver = resolvers.KubernetesClusterResolver()
        resolver.task_type = "worker"
        resolver.task_id = int(os.environ["KERAS_BERT_TASK_INDEX"])
    else:
        raise InputError(
            "`--strategy multi_worker` needs a cluster: TF_CONFIG with workers, a Slurm job, or "
            "Kubernetes pods with KERAS_BERT_TASK_INDEX. Received: none of them"
        )
    has_gpus = bool(tf.config.list_physical_devices("GPU"))
    communication = tf.distribute.experimental.CommunicationImplementation
    options = tf.distribute.experimental.CommunicationOptions(
        implementation=communication.AUTO if has_gpus else communication.RING
    )
    return tf.distribute.MultiWorkerMirroredStrategy(resolver, options)


def _tpu() -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect(
            os.environ.get("TPU_NAME", "local")
        )
        return tf.distribute.TPUStrategy(resolver)
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        message = str(error).strip().splitlines()
        raise InputError(
            f"`--strategy tpu` needs a TPU; supported: {', '.join(SUPPORTED)}. "
            f"Received: {message[0] if message else type(error).__name__}"
        ) from error


def devices(strategy: tf.distribute.Strategy) -> dict[str, str]:
    """Returns the number of devices, on which a run's bits depend, as an input of the run."""
    count = strategy.num_replicas_in_sync
    return {"strategy": f"{count} device{'' if count == 1 else 's'}"}


def dtype_policy(precision: str) -> str:
    """Returns Keras' name for training in `precision` with float32 weights."""
    return "float32" if precision == "float32" else f"mixed_{precision}"


def set_seed(seed: int) -> None:
    """Seeds initial weights and dropout."""
    keras.utils.set_random_seed(seed)
