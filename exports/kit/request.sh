#!/bin/sh
# A request over REST. Usage: sh request.sh [ADDRESS], such as localhost:8501
curl --fail-with-body --silent --show-error \
    --header 'Content-Type: application/json' \
    --data '$rest_body' \
    "http://$${1:-localhost:8501}/v1/models/$name:predict"
