"""Several workers on this machine."""

import json
import socket


def free_addresses(count):
    with_ports = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in with_ports]
    for one in with_ports:
        one.close()
    return addresses


def environments(count):
    """What tells each process of a cluster which of its workers it is."""
    cluster = {"worker": free_addresses(count)}
    tasks = ({"type": "worker", "index": index} for index in range(count))
    return [{"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})} for task in tasks]
