"""A request over gRPC: pip install tensorflow-serving-api; python request_grpc.py [ADDRESS]"""

import json
import sys

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

ADDRESS = sys.argv[1] if len(sys.argv) > 1 else "localhost:8500"
INPUTS = json.loads(r"""$inputs""")

request = predict_pb2.PredictRequest()
request.model_spec.name = "$name"
request.model_spec.signature_name = "serving_default"
for key, values in INPUTS.items():
    request.inputs[key].CopyFrom(tf.make_tensor_proto(values))
with grpc.insecure_channel(ADDRESS) as channel:
    service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    reply = service.Predict(request, timeout=30)
for key, proto in sorted(reply.outputs.items()):
    print(key, tf.make_ndarray(proto).tolist())
