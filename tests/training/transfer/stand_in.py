"""What the stand-in servers of this folder have in common: a folder, answers, and a port that they write."""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class StandIn(BaseHTTPRequestHandler):
    """Serves a folder; keeps its connections and says nothing."""

    protocol_version = "HTTP/1.1"
    root: Path

    def body(self) -> bytes:
        """What was sent with the request."""
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status: int, content: bytes = b"", **headers: str) -> None:
        """Answer; underscores in the headers' names stand for hyphens."""
        self.send_response(status)
        for name, value in {**headers, "Content_Length": str(len(content))}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Silent."""


def serve(handler: type[StandIn]) -> None:
    """Serve the folder that the command line names, on a free port of this machine."""
    handler.root = Path(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
