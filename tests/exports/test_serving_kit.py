import json
import subprocess

import pytest
import tensorflow as tf
import yaml
from google.protobuf import text_format
from tensorflow_serving.apis import prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2

from exports.serving_kit import WARM_UP, check_name, write_kit, write_warm_up
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


@pytest.fixture
def kit(tmp_path):
    write_kit(tmp_path, "my-bert", DESCRIPTION, 400_000_000)
    return tmp_path


def test_configurations_are_those_of_the_server(kit):
    models = text_format.Parse(
        (kit / "models.config").read_text(), model_server_config_pb2.ModelServerConfig()
    )
    (model,) = models.model_config_list.config
    assert (model.name, model.base_path) == ("my-bert", "/models/my-bert")


def test_manifests_are_of_one_mind(kit):
    compose = yaml.safe_load((kit / "compose.yaml").read_text())
    (service,) = compose["services"].values()
    deployment, kubernetes_service = yaml.safe_load_all((kit / "kubernetes.yaml").read_text())
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert service["command"] == container["args"]
    for argument in service["command"]:
        if "/" in argument:
            # Each file that the server is told of is there.
            assert (kit / argument.rpartition("/")[2]).is_file()
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {port["name"]: port["port"] for port in kubernetes_service["spec"]["ports"]}
    assert container["resources"]["requests"]["memory"] == "2200Mi"


def test_examples_hold_the_request(kit):
    for name in ("request_rest.py", "request_grpc.py"):
        compile((kit / name).read_text(), name, "exec")
    # What the shell makes of its quotes is the body.
    script = (kit / "request.sh").read_text().replace("curl ", "printf '%s\\n' ")
    printed = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    lines = printed.stdout.splitlines()
    assert json.loads(lines[-2]) == {
        "inputs": DESCRIPTION["signatures"]["serving_default"]["example"]
    }
    assert lines[-1] == "http://localhost:8501/v1/models/my-bert:predict"


def test_files_that_are_there_are_kept(kit):
    (kit / "models.config").write_text("mine")
    (kit / "request.sh").unlink()
    assert write_kit(kit, "other", DESCRIPTION, 1) == ["request.sh"]
    assert (kit / "models.config").read_text() == "mine"


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
