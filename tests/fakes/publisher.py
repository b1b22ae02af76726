"""A publisher of files on this machine's own loopback, who can be slow, wrong or rude."""

import contextlib
import dataclasses
import hashlib
import http.server
import threading
import time


@dataclasses.dataclass
class Remote:
    """A file that a publisher offers."""

    url: str
    checksum: str | None = None
    bytes: int | None = None
    title: str = "TinyNet"


class Publisher(http.server.ThreadingHTTPServer):
    """Serves `data` at every path. What else it does is set on it; `asked` notes each range."""

    daemon_threads = True

    def __init__(self, data):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.data, self.asked = data, []
        self.status, self.location = 200, None
        self.ranges = True
        self.cut_at = []  # bytes after which each of the next answers breaks off
        self.declared = None  # the length that is announced, where it is not the true one
        self.pause = 0.0  # seconds before each KiB
        self.let_go = threading.Event()  # what is held back comes byte by byte until then
        self.let_go.set()

    def hold_back(self):
        """Make the next answers last until `let_go` is set."""
        self.let_go.clear()

    def remote(self, name="tiny-0.pth", **changes):
        checksum = "sha256:" + hashlib.sha256(self.data).hexdigest()[:8]
        url = f"http://127.0.0.1:{self.server_port}/models/{name}"
        given = {"checksum": checksum, "bytes": len(self.data)} | changes
        return Remote(url, **given)


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        wanted = self.headers.get("Range")
        server.asked.append(wanted)
        start = int(wanted[6:].rstrip("-")) if wanted and server.ranges else 0
        status = 206 if start else server.status
        if start > len(server.data):
            status = 416
        body = server.data[start:] if status in (200, 206) else b""
        self.send_response(status)
        if status == 206:
            last = len(server.data) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{last + 1}")
        if server.location:
            self.send_header("Location", server.location)
        length = len(body) if server.declared is None else server.declared
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if server.cut_at:
            body = body[: server.cut_at.pop(0)]
        with contextlib.suppress(OSError):
            held = 0
            while held < len(body) and not server.let_go.wait(0.05):
                self.wfile.write(body[held : held + 1])
                held += 1
            body = body[held:]
            if not server.pause:
                self.wfile.write(body)
                return
            for at in range(0, len(body), 1024):
                time.sleep(server.pause)
                self.wfile.write(body[at : at + 1024])

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def publishing(data):
    """Serve `data` until the block ends."""
    server = Publisher(data)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server
    finally:
        server.let_go.set()
        server.shutdown()
        server.server_close()
