"""Calls of signatures over the network, and how their replies are compared."""

import base64

import numpy as np

ROWS = 8
# Rows of different widths, as many as `ROWS`; and those that are hardly text.
TEXTS = ["", "the dog ran", "word " * 30, "Café 你好", "[MASK] ran", "a", "one two " * 9]
TEXTS.append("not [MASK]")
ODD = [b"", b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"a" * 100_000, b"a\0 " * 900]
ODD += [b"[MASK]\0", b"\xc3"]


def inputs_of(signature, strings):
    """An input of each row: the strings, or the example's ids again and again."""
    inputs = {}
    for number, (key, spec) in enumerate(signature["inputs"].items()):
        if spec["dtype"] != "string":
            example = np.array(signature["example"][key])
            inputs[key] = np.resize(example, (len(strings), *example.shape[1:]))
            continue
        # Another string for each input of a row.
        rows = [*strings[number:], *strings[:number]]
        rows = rows if len(spec["shape"]) == 1 else [[text, *strings[:2]] for text in rows]
        inputs[key] = np.array(rows, object)
    return inputs


def assert_replies(reply, expected, joined=False):
    """Asserts that replies are the same; joined with others', they may have empty columns more."""
    assert set(reply) == set(expected)
    for key, twin in expected.items():
        array, place = reply[key], tuple(slice(size) for size in twin.shape)
        if joined:
            array, beyond = array[place], array.copy()
            beyond[place] = b"" if twin.dtype == object else 0
            assert not beyond.astype(bool).any()
        assert array.shape == twin.shape
        if twin.dtype == object:
            assert (array == twin).all()
        else:
            assert np.isfinite(array).all()
            np.testing.assert_allclose(array, twin, rtol=1e-6, atol=1e-6)


def rest_reply(server, name, inputs, outputs):
    """What `:predict` answers, as arrays of the types that the outputs have."""
    columns = {key: as_json(array.tolist()) for key, array in inputs.items()}
    status, reply = server.predict({"signature_name": name, "inputs": columns})
    assert status == 200, reply
    reply = reply["outputs"] if len(outputs) > 1 else {next(iter(outputs)): reply["outputs"]}
    return {
        key: np.array(from_json(value), object if outputs[key]["dtype"] == "string" else None)
        for key, value in reply.items()
    }


def as_json(value):
    if isinstance(value, list):
        return [as_json(item) for item in value]
    return {"b64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def from_json(value):
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return value.encode() if isinstance(value, str) else value
