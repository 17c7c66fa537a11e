"""Pages of other origins that call the REST API."""

import http.client

import pytest

from exports.serving.cross_origin import check_origins
from keras_bert.errors import InputError
from tests.exports.local_server import running

GOOD, OTHER, EVIL = "https://example.org", "http://localhost:3000", "https://example.org.evil.com"
BODY = b'{"inputs": [1.0]}'


@pytest.fixture(scope="module")
def sharing(models):
    with running(models, cors_origin=(GOOD, OTHER)) as result:
        yield result


def ask(server, method, path, origin=None, body=None, **headers):
    """The status and headers of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=20)
    if origin is not None:
        headers["Origin"] = origin
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    response.read()
    connection.close()
    found = {key: value for key, value in response.getheaders() if key.startswith("Access-")}
    return response.status, found, response.getheader("Vary")


PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type",
}


def requests_of(server):
    """Answers and errors of all kinds."""
    model = server.model
    return [
        ("POST", f"{model}:predict", BODY, 200),
        ("POST", f"{model}:predict", b"{", 400),
        ("POST", "/v1/models/none:predict", BODY, 404),
        ("POST", f"{model}:classify", BODY, 501),
        ("GET", model, None, 200),
        ("GET", "/v1/nothing", None, 400),
        ("GET", "/nothing", None, 404),
        ("DELETE", model, None, 400),
        ("POST", f"{model}:predict", b" " * (65 << 20), 413),
    ]


def test_allowed_origins_read_answers_and_errors(sharing):
    for method, path, body, status in requests_of(sharing):
        for origin in (GOOD, OTHER):
            found = ask(sharing, method, path, origin, body)
            assert found == (status, {"Access-Control-Allow-Origin": origin}, "Origin")


@pytest.mark.parametrize("origin", [None, EVIL, "null", "", "https://EXAMPLE.org", f"{GOOD}/"])
def test_others_do_not(sharing, origin):
    for method, path, body, status in requests_of(sharing)[:4]:
        assert ask(sharing, method, path, origin, body) == (status, {}, "Origin")
    found = ask(sharing, "OPTIONS", f"{sharing.model}:predict", origin, **PREFLIGHT)
    assert found == (204, {}, "Origin")


def test_preflight(sharing):
    for path in (f"{sharing.model}:predict", f"{sharing.model}/versions/1:predict"):
        status, headers, vary = ask(sharing, "OPTIONS", path, GOOD, **PREFLIGHT)
        assert (status, vary) == (204, "Origin")
        assert headers == {
            "Access-Control-Allow-Origin": GOOD,
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": "Content-Type",
            "Access-Control-Max-Age": "600",
        }


def test_all_origins_without_credentials(models):
    with running(models, cors_origin=("*",)) as server:
        for origin in (None, EVIL):
            for method, path, body, status in requests_of(server)[:4]:
                found = ask(server, method, path, origin, body, Cookie="a=b")
                assert found == (status, {"Access-Control-Allow-Origin": "*"}, None)
        status, headers, _ = ask(server, "OPTIONS", f"{server.model}:predict", EVIL, **PREFLIGHT)
        assert status == 204
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in headers


def test_off_by_default(server):
    for method, path, body, status in requests_of(server)[:4]:
        assert ask(server, method, path, GOOD, body) == (status, {}, None)
    found = ask(server, "OPTIONS", f"{server.model}:predict", GOOD, **PREFLIGHT)
    assert found == (400, {}, None)


@pytest.mark.parametrize(
    "origin",
    [
        *("", "example.org", "https://", "https://example.org/", "https://example.org:443", "null"),
        *("http://localhost:80", "https://*.example.org", "ftp://example.org", "https://A.org"),
        *("https://a.org:0", "https://a.org:70000", "https://user@a.org", "https://a.org b"),
    ],
)
def test_origins_that_are_none(origin):
    with pytest.raises(InputError, match="`--cors-origin` must be an origin") as caught:
        check_origins([origin])
    assert repr(origin) in str(caught.value)


def test_origins():
    check_origins([GOOD, OTHER, "http://[::1]:8080", "http://127.0.0.1"])
    check_origins(["*"])
    with pytest.raises(InputError, match="others have no use"):
        check_origins(["*", GOOD])
