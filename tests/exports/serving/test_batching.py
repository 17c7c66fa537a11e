import functools
import time

import pytest

from tests.exports.local_server import eventually, running, together

# Long enough for requests to meet on a busy machine. A full batch does not wait.
LONG = 60_000


def ask(server, values, signature="serving_default"):
    body = {"signature_name": signature, "inputs": values}
    return functools.partial(server.predict, body)


def runs(server, signature="serving_default"):
    """The number of runs of the model, and of rows in them."""
    return tuple(
        server.metric(f"serving_batch_rows_{part}", signature=signature)
        for part in ("count", "sum")
    )


def test_requests_are_joined(models):
    with running(models, max_batch_size=6, batch_timeout=LONG) as server:
        replies = together(
            ask(server, [1.0]), ask(server, [2.0, 3.0]), ask(server, [4.0, 5.0, 6.0])
        )
        assert runs(server) == (1, 6)
    assert replies == [
        (200, {"outputs": outputs}) for outputs in ([2.0], [4.0, 6.0], [8.0, 10.0, 12.0])
    ]


def test_several_inputs_and_outputs_are_joined(models):
    with running(models, max_batch_size=2, batch_timeout=LONG) as server:
        replies = together(
            ask(server, {"ids": [[1, 2]], "weight": [0.5]}, "add"),
            ask(server, {"ids": [[3, 4]], "weight": [2]}, "add"),
        )
        assert runs(server, "add") == (1, 2)
    assert [reply["outputs"] for _, reply in replies] == [
        {"sum": [3], "weighted": [[0.5, 1.0]]},
        {"sum": [7], "weighted": [[6.0, 8.0]]},
    ]


def test_a_batch_starts_after_its_time(models):
    with running(models, batch_timeout=100) as server:
        start = time.monotonic()
        assert server.predict({"inputs": [1.0]})[0] == 200
        assert time.monotonic() - start >= 0.1


def test_other_lengths_are_not_joined(models):
    with running(models, max_batch_size=2, batch_timeout=LONG) as server:
        lengths = (1, 2, 1, 2)
        replies = together(
            *(ask(server, {"ids": [[1] * n], "weight": [1]}, "add") for n in lengths)
        )
        assert runs(server, "add") == (2, 4)
    assert [reply["outputs"]["sum"] for _, reply in replies] == [[n] for n in lengths]


def test_batching_can_be_off(models):
    with running(models, max_batch_size=1, batch_timeout=LONG) as server:
        together(*[ask(server, [1.0])] * 3)
        assert server.predict({"inputs": [1.0, 2.0]})[0] == 200
        assert runs(server) == (4, 5)


def test_a_poisoned_request_fails_alone(models):
    with running(models, max_batch_size=3, batch_timeout=LONG) as server:
        good, bad, other = together(ask(server, [1.0]), ask(server, [-1.0]), ask(server, [2.0]))
        # Together, then each alone.
        assert runs(server) == (4, 6)
    assert good == (200, {"outputs": [2.0]})
    assert other == (200, {"outputs": [4.0]})
    assert bad[0] == 400
    assert "below zero" in bad[1]["error"]


@pytest.mark.parametrize("signature", ["split", "total"])
def test_outputs_that_are_no_rows_are_not_joined(models, signature):
    values = {"split": (["a b"], [""]), "total": ([1.0], [2.0])}[signature]
    expected = {
        "split": [["a", "b"], []],
        "total": [{"total": 1.0, "x": [1.0]}, {"total": 2.0, "x": [2.0]}],
    }[signature]
    with running(models, max_batch_size=2, batch_timeout=LONG) as server:
        replies = together(*(ask(server, value, signature) for value in values))
        assert runs(server, signature) == (2, 2)
    assert [reply["outputs"] for _, reply in replies] == expected


def test_outputs_that_turn_out_to_be_no_rows(models):
    with running(models, max_batch_size=2, batch_timeout=LONG) as server:
        calls = (ask(server, [1.0], "drop_large"), ask(server, [11.0], "drop_large"))
        expected = [(200, {"outputs": [1.0]}), (200, {"outputs": []})]
        assert together(*calls) == expected
        assert runs(server, "drop_large") == (3, 4)
        # Now it is known.
        assert together(*calls) == expected
        assert runs(server, "drop_large") == (5, 6)


def test_a_full_queue_refuses(models):
    with running(models, max_queue=2, max_batch_size=3, batch_timeout=1000) as server:
        replies = together(*[ask(server, [1.0])] * 3)
        assert sorted(status for status, _ in replies) == [200, 200, 503]
        (refused,) = (reply for status, reply in replies if status == 503)
        assert refused == {"error": "2 requests wait already"}
        count = "serving_requests_total"
        assert server.metric(count, status="RESOURCE_EXHAUSTED") == 1
        assert server.predict({"inputs": [1.0]})[0] == 200


def test_a_request_is_given_up_at_the_deadline(models):
    with running(models, deadline=0.2, batch_timeout=LONG) as server:
        status, reply = server.predict({"inputs": [1.0]})
        assert (status, reply) == (504, {"error": "the deadline has passed"})
        # It left the queue, and its batch runs without it.
        assert server.metric("serving_queue_requests") == 0
        assert runs(server) == (0, 0)


def test_requests_join_while_threads_are_busy(models, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    with running(models, batch_timeout=0) as server:

        def ask_while_busy():
            eventually(lambda: runs(server, "wait") == (1, 1))
            return server.predict({"inputs": [1.0]})

        replies = together(ask(server, [1.5], "wait"), *[ask_while_busy] * 4)
        assert [status for status, _ in replies] == [200] * 5
        assert runs(server) == (1, 4)
