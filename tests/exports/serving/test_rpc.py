import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
)

from tests.exports.local_server import running


def request(inputs, *, name="model", signature="", version=None, **fields):
    result = predict_pb2.PredictRequest(**fields)
    result.model_spec.name = name
    result.model_spec.signature_name = signature
    if version is not None:
        result.model_spec.version.value = version
    for key, value in inputs.items():
        result.inputs[key].CopyFrom(value)
    return result


def floats(*values):
    return tf.make_tensor_proto(np.array(values, np.float32))


@pytest.fixture(scope="module")
def stub(server):
    with server.stub() as result:
        yield result


def test_predict(stub):
    reply = stub.Predict(request({"x": floats(1, 2)}, version=1))
    assert tf.make_ndarray(reply.outputs["y"]).tolist() == [2.0, 4.0]
    assert reply.model_spec.version.value == 1
    assert reply.model_spec.signature_name == "serving_default"


def test_strings_and_the_output_filter(stub):
    text = tf.make_tensor_proto(np.array([b"\xff\0", b""], object))
    reply = stub.Predict(request({"text": text}, signature="echo", output_filter=["raw_bytes"]))
    assert list(reply.outputs) == ["raw_bytes"]
    assert tf.make_ndarray(reply.outputs["raw_bytes"]).tolist() == [b"\xff\0", b""]


def huge():
    result = tf.make_tensor_proto(np.float32(1))
    result.tensor_shape.dim.add(size=1 << 40)
    return result


def unknown():
    result = floats(1)
    result.dtype = 2**31 - 1
    return result


def damaged():
    result = floats(1, 2)
    result.tensor_content = b"12345"
    return result


NOT_FOUND = grpc.StatusCode.NOT_FOUND
INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("message", "code", "details"),
    [
        (request({"x": floats(1)}, name="none"), NOT_FOUND, r"Latest\(none\)"),
        (request({"x": floats(1)}, version=7), NOT_FOUND, r"Specific\(model, 7\)"),
        (predict_pb2.PredictRequest(), INVALID, "model_spec"),
        (request({}), INVALID, "takes the inputs x. Received: none"),
        (request({"x": floats(1), "z": floats(1)}), INVALID, "Received: x, z"),
        (request({"x": tf.make_tensor_proto([1])}), INVALID, "must be float32. Received: int32"),
        (request({"x": tf.make_tensor_proto(1.0)}), INVALID, r"shape \(None,\). Received: \(\)"),
        (request({"x": unknown()}), INVALID, "must be float32. Received: type 2147483647"),
        (request({"x": huge()}), INVALID, "at most 1024 rows"),
        (request({"x": damaged()}), INVALID, "does not hold a tensor"),
        (request({"x": floats(-1)}), INVALID, "below zero"),
        (request({"x": floats(1)}, output_filter=["z"]), INVALID, "outputs y. Received: 'z'"),
        (request({"x": floats(1)}, output_filter=["y", "y"]), INVALID, "twice"),
        (
            request({"x": floats(1)}, signature="none"),
            grpc.StatusCode.FAILED_PRECONDITION,
            "no signature 'none'",
        ),
    ],
)
def test_errors(stub, message, code, details):
    with pytest.raises(grpc.RpcError, match=details) as caught:
        stub.Predict(message)
    assert caught.value.code() == code


@pytest.mark.parametrize(
    "method",
    ["tensorflow.serving.PredictionService/Predict", "grpc.health.v1.Health/Check"],
)
def test_bytes_that_are_no_message(server, method):
    with grpc.insecure_channel(server.grpc_address) as channel:
        for text in (b"\x0a\xff\xff\xff\x7f", b"\xff" * 100, b"\x0a\x02\xff\xff"):
            with pytest.raises(grpc.RpcError, match="no message") as caught:
                channel.unary_unary(f"/{method}")(text, timeout=20)
            assert caught.value.code() == INVALID


def test_metadata(stub):
    message = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    message.model_spec.name = "model"
    reply = stub.GetModelMetadata(message)
    definitions = get_model_metadata_pb2.SignatureDefMap()
    assert reply.metadata["signature_def"].Unpack(definitions)
    assert {"serving_default", "add", "echo"} <= set(definitions.signature_def)
    assert definitions.signature_def["add"].inputs["ids"].dtype == tf.int32.as_datatype_enum
    assert reply.model_spec.version.value == 1
    message.metadata_field[:] = ["other"]
    with pytest.raises(grpc.RpcError, match="metadata_field") as caught:
        stub.GetModelMetadata(message)
    assert caught.value.code() == INVALID


def test_status(server):
    message = get_model_status_pb2.GetModelStatusRequest()
    message.model_spec.name = "model"
    with grpc.insecure_channel(server.grpc_address) as channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        (version,) = stub.GetModelStatus(message).model_version_status
        assert (version.version, version.state) == (1, version.AVAILABLE)
        message.model_spec.name = "none"
        with pytest.raises(grpc.RpcError, match="no model 'none'") as caught:
            stub.GetModelStatus(message)
    assert caught.value.code() == NOT_FOUND


def test_other_methods_are_unimplemented(stub):
    with pytest.raises(grpc.RpcError) as caught:
        stub.Classify(classification_pb2.ClassificationRequest())
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_the_callers_deadline(stub):
    seconds = tf.make_tensor_proto(np.array([0.3]))
    with pytest.raises(grpc.RpcError) as caught:
        stub.Predict(request({"seconds": seconds}, signature="wait"), timeout=0.1)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_long_message_is_refused(models):
    with running(models, max_message_bytes=1000) as server, server.stub() as stub:
        with pytest.raises(grpc.RpcError) as caught:
            stub.Predict(request({"x": floats(*range(1000))}))
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert len(stub.Predict(request({"x": floats(1)})).outputs) == 1
