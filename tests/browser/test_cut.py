"""A connection that is reset in the middle of a part: what TCP does, beneath the browser."""

import json
import secrets
import socket
import struct
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from tests.browser.conftest import uploads
from tests.browser.test_offering import ready
from tests.conftest import PATIENCE

SIZE = 4 << 20
MISPLACED = 409


def headers_of(page, server):
    """Return what the page sends with an upload: its cookie and its token."""
    page.get_by_role("button", name="Change model").click()
    with page.expect_request(lambda request: request.method == "POST") as asked:
        uploads(page).set_input_files(
            {"name": "m.pt", "mimeType": "application/octet-stream", "buffer": b"no model"}
        )
    page.locator(".v-error").wait_for()
    wanted = ("cookie", "origin", "x-vitrine-token")
    return {name: asked.value.all_headers()[name] for name in wanted}


def ask(server, headers, method, path, body=None):
    request = urllib.request.Request(  # noqa: S310 - our own server
        f"{server}/vitrine/upload{path}", method=method, headers=headers, data=body
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
        return json.loads(answer.read() or b"{}")


def reset_after(server, headers, path, body, sent):
    """Send the head of a request and `sent` bytes of its body, and reset the connection."""
    lines = [f"PUT /vitrine/upload{path} HTTP/1.1", f"Host: {urlsplit(server).netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Range: bytes 0-{len(body) - 1}/{len(body)}", f"Content-Length: {len(body)}"]
    with socket.create_connection((urlsplit(server).hostname, urlsplit(server).port)) as wire:
        wire.sendall("\r\n".join([*lines, "", ""]).encode() + body[:sent])
        while not ask(server, headers, "GET", path)["received"]:
            time.sleep(0.02)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def went_on(server, headers, path, body):
    """Send what is missing; return what was kept, and the answer."""
    while True:
        kept = ask(server, headers, "GET", path)["received"]
        rest = headers | {"Content-Range": f"bytes {kept}-{len(body) - 1}/{len(body)}"}
        try:
            return kept, ask(server, rest, "PUT", path, body[kept:])
        except urllib.error.HTTPError as error:
            if error.code != MISPLACED:
                raise  # else it still wrote what had come before the cut
        except urllib.error.URLError as error:
            if not isinstance(error.reason, BrokenPipeError | ConnectionResetError):
                raise  # else it said so before all was sent


def test_a_reset_connection_loses_no_more_than_what_was_under_way(visit, server):
    headers = headers_of(ready(visit()), server)
    body = secrets.token_bytes(SIZE)
    told = json.dumps({"name": "cut.pt", "size": SIZE, "mark": "a-mark"}).encode()
    upload = ask(server, headers, "POST", "", told)
    path = f"/{upload['id']}"
    reset_after(server, headers, path, body, 3 << 20)
    kept, answer = went_on(server, headers, path, body)
    assert 0 < kept <= 3 << 20
    assert answer == {"received": SIZE, "size": SIZE}
    ask(server, headers, "DELETE", path)
