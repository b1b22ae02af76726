"""The door for files under requests that nobody would write: no answer is the server's fault."""

import json

import numpy as np
import pytest

from tests.fakes.asgi import ask
from tests.ui.test_upload import Browser, app, disk, visitors
from ui import route

__all__ = ["app", "disk", "visitors"]

REQUESTS = 5000
SEED = 20

VALUES = (
    "", "a", "../x", "\0", "\u202e", "x" * 9000, 0, 1, -1, 10**400, 2**63, 1e308, 1.5, True, None,
    [], {}, [[]], {"a": {}}, float("nan"), "7",
)  # fmt: skip
WORDS = (
    "", "bytes 0-9/10", "bytes 9-0/10", "bytes 0-9", "bytes -1-9/10", "bytes 0-9/*", "0-9/10",
    f"bytes {'9' * 15}-{'9' * 15}/{'9' * 15}", f"bytes {'9' * 400}-0/1", "bytes 0-0/1", "\xff", "é",
    "vitrine=x.y", "vitrine=", "http://[", "null", "http://vitrine.test", "x" * 5000, "10",
)  # fmt: skip
NAMES = ("content-range", "content-length", "cookie", "origin", "host", route.TOKEN, "range")


def mutated(rng, browser, known):
    """Return one request: method, path, headers and pieces of a body."""

    def pick(values):
        return values[int(rng.integers(len(values)))]

    headers = dict(browser.headers)
    for _ in range(max(int(rng.integers(-6, 4)), 0)):
        name, value = pick(NAMES), pick(WORDS).encode("latin-1", "replace").decode("latin-1")
        headers[pick([name, name.title()])] = value
    if rng.random() < 0.1:
        headers.pop(pick(list(headers)))
    ids = ["", "/x", "/..", "/%00", "/" + "9" * 500, *(f"/{id}" for id in known)]
    body = {"name": "m.pt", "size": 20, "mark": "m"}
    for _ in range(max(int(rng.integers(-2, 3)), 0)):
        body[pick(["name", "size", "mark", "more"])] = pick(VALUES)
    raw = json.dumps(pick([body, pick(VALUES), [body]])).encode()
    raw = (
        raw
        if rng.random() < 0.5
        else pick(
            [raw, raw[: len(raw) // 2], b"", b"\xff\xfe", b"[" * 3000, b"0123456789", raw * 40]
        )
    )
    cuts = sorted(int(at) for at in rng.integers(0, len(raw) + 1, int(rng.integers(0, 3))))
    pieces = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    method = pick(["POST", "POST", "PUT", "GET", "DELETE", "PATCH"])
    id = "" if method == "POST" and rng.random() < 0.8 else pick(ids)
    return method, id, headers, pieces


def test_no_request_gets_an_error_of_the_servers_own(app, visitors):
    browser, rng, known, seen = Browser(app, visitors), np.random.default_rng(SEED), [], set()
    for number in range(REQUESTS):
        method, id, headers, pieces = mutated(rng, browser, known)
        cut = bool(rng.random() < 0.2)
        try:
            answer = ask(app, method, route.PATH + id, headers=headers, pieces=pieces, cut=cut)
        except Exception as error:  # what the server would answer with 500
            pytest.fail(f"request {number}, {method} {id[:40]} {headers}: {error!r}")
        assert answer.status != 500, (number, method, id[:40], headers)
        seen.add(answer.status)
        if answer.status == 201:
            known = [*known, answer.json["id"]][-4:]
    assert {200, 201, 400, 401, 403, 404, 405} <= seen  # the requests do reach everything
