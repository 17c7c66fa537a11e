"""Where a model trains: devices and precision."""

import json
import os
import re
import socket
import sys
import time
from collections.abc import Callable

import keras
import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.reading import shown

ClusterResolver = tf.distribute.cluster_resolver.ClusterResolver

# Seconds in which the names of a cluster's hosts must be known: those of pods come as they start.
_PATIENCE = 10
_PLACE = re.compile(r"(?P<host>[^\s/]+):(?P<port>\d{1,5})")
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
        if _configured_workers():
            _check_task(_cluster())
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
    except (ValueError, AttributeError, RecursionError):
        raise InputError(
            "`TF_CONFIG` must be JSON with `cluster` and `task`, both objects. "
            f"Received: {text[:200]}"
        ) from None
    for job, places in cluster.items():
        _check_places(job, places)
    return {"cluster": cluster, "task": task}


def _check_places(job: str, places: object) -> None:
    if not isinstance(places, list) or not places:
        raise InputError(
            f'`TF_CONFIG`: `cluster` must be {{"worker": ["host:port", ...]}}. '
            f"Received: {job}={shown(places)}"
        )
    for place in places:
        found = _PLACE.fullmatch(place) if isinstance(place, str) else None
        if not found or not 1 <= int(found["port"]) <= 65535:
            raise InputError(
                f"`TF_CONFIG`: each {job} of `cluster` must be host:port, the port from 1 to "
                f"65535. Received: {shown(place)}"
            )


def _configured_workers() -> int:
    cluster = _cluster()["cluster"]
    return sum(len(cluster.get(job, ())) for job in ("chief", "worker"))


def _check_task(configuration: dict) -> str:
    """Checks which of the workers this process is, and returns its place."""
    cluster, task = configuration["cluster"], configuration["task"]
    jobs = [job for job in ("chief", "worker") if job in cluster]
    if task.get("type") not in jobs:
        raise InputError(
            f"`TF_CONFIG`: `task` must have a `type`, {' or '.join(jobs)}, and an `index`. "
            f"Received: {shown(task)}"
        )
    index, places = task.get("index"), cluster[task["type"]]
    if type(index) is not int or not 0 <= index < len(places):
        raise InputError(
            f"`TF_CONFIG`: `index` of `task` must be from 0 to {len(places) - 1}, for the "
            f"{task['type']}s of `cluster`. Received: {shown(index)}"
        )
    return places[index]


def _check_network(configuration: dict) -> None:
    """Checks that this process can listen at its place and that every host has an address."""
    own = _check_task(configuration)
    try:
        # TensorFlow listens on every address of this machine.
        socket.create_server(("", int(own.rpartition(":")[2]))).close()
    except OSError as error:
        raise InputError(f"`TF_CONFIG`: cannot listen on {own}: {error.strerror}") from error
    end = time.monotonic() + _PATIENCE
    for places in configuration["cluster"].values():
        for place in places:
            _find_host(place, end)


def _find_host(place: str, end: float) -> None:
    """Waits until a name is known: without it TensorFlow would wait for ever."""
    host, _, port = place.rpartition(":")
    while True:
        try:
            socket.getaddrinfo(host.strip("[]"), int(port))
            return
        except (OSError, UnicodeError) as error:
            if time.monotonic() >= end or isinstance(error, UnicodeError):
                reason = getattr(error, "strerror", None) or error
                raise InputError(f"`TF_CONFIG`: cannot find the host {place}: {reason}") from error
            time.sleep(0.5)


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
        _check_network(_cluster())
        resolver = resolvers.TFConfigClusterResolver()
    elif "SLURM_PROCID" in os.environ:
        resolver = _resolver("Slurm's variables", resolvers.SlurmClusterResolver)
    elif "KUBERNETES_SERVICE_HOST" in os.environ and os.environ.get("KERAS_BERT_TASK_INDEX"):
        index = os.environ["KERAS_BERT_TASK_INDEX"]
        if not index.isdecimal():
            raise InputError(
                f"`KERAS_BERT_TASK_INDEX` must be the number of this pod, from 0. Received: {index}"
            )
        # The pods carry TensorFlow's usual label, job-name=tensorflow.
        resolver = _resolver("Kubernetes", resolvers.KubernetesClusterResolver)
        resolver.task_type = "worker"
        resolver.task_id = int(index)
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
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(resolver, options)
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"`--strategy multi_worker` cannot join the cluster: {reason}") from error


def _resolver(source: str, make: Callable[[], ClusterResolver]) -> ClusterResolver:
    """Asks where the cluster is, of variables and services that others are to have set up."""
    try:
        return make()
    except Exception as error:  # Each has its own, of libraries that may be missing.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"`--strategy multi_worker`: {source} must say which the workers are: {reason}"
        ) from error


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


def devices(strategy: tf.distribute.Strategy) -> str:
    """Returns the number of devices, on which a run's bits depend, in words."""
    count = strategy.num_replicas_in_sync
    return f"{count} device{'' if count == 1 else 's'}"


def dtype_policy(precision: str) -> str:
    """Returns Keras' name for training in `precision` with float32 weights."""
    return "float32" if precision == "float32" else f"mixed_{precision}"


def set_seed(seed: int) -> None:
    """Seeds initial weights and dropout."""
    keras.utils.set_random_seed(seed)
