"""A model hub of one repository on this machine, speaking as much of the hub's protocol as a download needs."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PIECE = 1 << 20


def answering(repo: str, files: Mapping[str, bytes], pause: float) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self):
            self.answer(body=False)

        def do_GET(self):
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            path = urlsplit(self.path).path
            if path.startswith(f"/api/models/{repo}"):
                siblings = [{"rfilename": name, "size": len(data)} for name, data in files.items()]
                content = json.dumps({"id": repo, "sha": COMMIT, "siblings": siblings}).encode()
                return self.reply(200, content, body=body)
            data = files.get(path.rsplit("/", 1)[-1])
            if not path.startswith(f"/{repo}/resolve/") or data is None:
                return self.reply(404, b"", body=body)
            return self.reply(200, data, body=body)

        def reply(self, status: int, content: bytes, *, body: bool) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.end_headers()
            for start in range(0, len(content) if body else 0, PIECE):
                time.sleep(pause)
                self.wfile.write(content[start : start + PIECE])

        def log_message(self, *_: object) -> None:
            return None

    return Handler


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that goes away in the middle is part of the tests."""


@contextmanager
def small_hub(repo: str, files: Mapping[str, bytes], *, pause: float = 0) -> Iterator[str]:
    """Serves `repo` and yields the address; `pause` seconds before every MiB."""
    server = QuietServer(("127.0.0.1", 0), answering(repo, files, pause))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
