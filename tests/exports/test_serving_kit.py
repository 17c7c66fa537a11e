import json
import re
import subprocess

import numpy as np
import pytest
import tensorflow as tf
import yaml
from google.protobuf import text_format
from tensorflow_serving.apis import prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2

from exports.serving_kit import (
    BATCH_ROWS,
    BATCH_THREADS,
    WARM_UP,
    check_name,
    write_kit,
    write_warm_up,
)
from exports.verification import _load_in_fresh_process
from keras_bert.errors import InputError

IDS = {"dtype": "int32", "shape": [None, None]}
DESCRIPTION = {
    "signatures": {
        "serving_default": {
            "inputs": {"text": {"dtype": "string", "shape": [None]}},
            "example": {"text": ['it\'s "so" $5', "Où ?"]},
        },
        "serving_features": {
            "inputs": {"token_ids": IDS},
            "example": {"token_ids": [[2, 1, 3], [2, 3, 0]]},
        },
    }
}


MIB = 1 << 20
MEMORY = {"tensorflow": 500 * MIB, "loaded": 1500 * MIB, "peak": 2000 * MIB}


def write(directory, name="my-bert", version="1", memory=MEMORY):
    """Writes the kit beside a version with 3 MiB of weights."""
    variables = directory / version / "variables"
    variables.mkdir(parents=True, exist_ok=True)
    (variables / "data").write_bytes(bytes(3 * MIB))
    return write_kit(directory, name, DESCRIPTION, directory / version, memory)


@pytest.fixture
def kit(tmp_path):
    write(tmp_path)
    return tmp_path


def kubernetes(kit):
    deployment, service = yaml.safe_load_all((kit / "kubernetes.yaml").read_text())
    return deployment["spec"]["template"]["spec"], service


def test_configurations_are_those_of_the_server(kit):
    models = text_format.Parse(
        (kit / "models.config").read_text(), model_server_config_pb2.ModelServerConfig()
    )
    (model,) = models.model_config_list.config
    assert (model.name, model.base_path) == ("my-bert", "/models/my-bert")


def test_manifests_are_of_one_mind(kit):
    compose = yaml.safe_load((kit / "compose.yaml").read_text())
    (service,) = compose["services"].values()
    pod, kubernetes_service = kubernetes(kit)
    (container,) = pod["containers"]
    assert service["command"] == container["args"]
    for argument in service["command"]:
        if "/" in argument:
            # Each file that the server is told of is there.
            assert (kit / argument.rpartition("/")[2]).is_file()
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {port["name"]: port["port"] for port in kubernetes_service["spec"]["ports"]}
    assert service["image"] == container["image"]


def test_memory_is_what_was_measured_with_a_margin(kit):
    (container,) = kubernetes(kit)[0]["containers"]
    resources = container["resources"]
    # 1.2 times the most; and 1.2 times the most and a second version, of 1000 MiB.
    assert resources["requests"]["memory"] == "2400Mi"
    assert resources["limits"]["memory"] == "3600Mi"
    compose = yaml.safe_load((kit / "compose.yaml").read_text())
    assert compose["services"]["my-bert"]["mem_limit"] == "3600m"
    text = (kit / "kubernetes.yaml").read_text()
    for figure in ("500 MiB", "1500 MiB", "2000 MiB", "3 MiB", "version 1"):
        assert figure in text


def test_the_memory_of_a_version_has_its_variables_and_constants(tmp_path):
    size = 48 * MIB
    module = tf.Module()
    module.variable = tf.Variable(tf.random.normal([size // 4]))
    values = np.random.default_rng(0).random(size // 2, np.float32).astype("bfloat16")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def answer(text):
        row = tf.strings.length(text)[:, tf.newaxis]
        constant = tf.cast(tf.constant(values)[:8], tf.float32)
        return {"x": module.variable[:8] + constant + tf.cast(row, tf.float32)}

    tf.saved_model.save(module, str(tmp_path / "1"), signatures=answer)
    texts = {"text": ["a", "b"]}
    reply = _load_in_fresh_process(tmp_path / "1", {"serving_default": texts}, [texts] * 2)
    memory = reply["memory"]
    assert memory["loaded"] - memory["tensorflow"] >= 2 * size
    assert memory["peak"] >= memory["loaded"]
    write(tmp_path, memory=memory)
    (container,) = kubernetes(tmp_path)[0]["containers"]
    limit = int(container["resources"]["limits"]["memory"].removesuffix("Mi")) * MIB
    assert limit >= memory["peak"] + 2 * size


def test_nobody_else_reaches_the_server_and_it_may_do_little(kit):
    (service,) = yaml.safe_load((kit / "compose.yaml").read_text())["services"].values()
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    pod, _ = kubernetes(kit)
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert float(container["resources"]["limits"]["cpu"]) > 0
    for image in (service["image"], container["image"]):
        assert re.fullmatch(r"tensorflow/serving:\d+\.\d+\.\d+", image)


def test_what_is_batched_is_what_was_measured(kit):
    text = (kit / "batching_parameters.txt").read_text()
    assert f"max_batch_size {{ value: {BATCH_ROWS} }}" in text
    assert f"num_batch_threads {{ value: {BATCH_THREADS} }}" in text


def test_examples_hold_the_request(kit):
    for name in ("request_rest.py", "request_grpc.py"):
        compile((kit / name).read_text(), name, "exec")
    # What the shell makes of its quotes is the body.
    script = (kit / "request.sh").read_text().replace("curl ", "printf '%s\\n' ")
    printed = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, check=True, timeout=30
    )
    lines = printed.stdout.splitlines()
    assert json.loads(lines[-2]) == {
        "inputs": DESCRIPTION["signatures"]["serving_default"]["example"]
    }
    assert lines[-1] == "http://localhost:8501/v1/models/my-bert:predict"


def test_another_export_renews_its_files_and_names_those_it_keeps(kit):
    assert write(kit) == ([], [])
    (kit / "models.config").write_text("mine")
    (kit / "request.sh").unlink()
    larger = {**MEMORY, "peak": 4000 * MIB}
    written, kept = write(kit, version="2", memory=larger)
    assert written == ["compose.yaml", "kubernetes.yaml", "request.sh"]
    # It would be as it was before it was changed.
    assert kept == ["models.config"]
    assert (kit / "models.config").read_text() == "mine"
    assert "6000Mi" in (kit / "kubernetes.yaml").read_text()
    # Of a kit without a record nothing is known.
    (kit / ".kit.json").write_text("damaged")
    written, kept = write(kit, name="other", version="2", memory=larger)
    assert written == []
    assert {"compose.yaml", "kubernetes.yaml", "models.config"} <= set(kept)
    assert "my-bert" in (kit / "compose.yaml").read_text()


def test_warm_up_asks_each_signature(tmp_path):
    write_warm_up(tmp_path, "my-bert", DESCRIPTION)
    requests = []
    for record in tf.data.TFRecordDataset(str(tmp_path / WARM_UP)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        request = log.predict_log.request
        assert request.model_spec.name == "my-bert"
        arrays = {key: tf.make_ndarray(proto) for key, proto in request.inputs.items()}
        requests.append((request.model_spec.signature_name, arrays))
    assert [(name, len(next(iter(x.values())))) for name, x in requests] == [
        ("serving_default", 1),
        ("serving_default", 2),
        ("serving_features", 1),
        ("serving_features", 2),
    ]
    assert requests[1][1]["text"].tolist() == [b'it\'s "so" $5', "Où ?".encode()]


@pytest.mark.parametrize("name", ["", "A", "a b", "-a", "a/b", "ä", "a" * 64])
def test_names_that_fit_nowhere_are_refused(name):
    with pytest.raises(InputError, match="lower-case letters, digits and dashes"):
        check_name(name)
