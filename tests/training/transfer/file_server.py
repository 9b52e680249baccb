"""A web server with files, in a process of its own: GET with ranges, PUT, a token, and faults on request.

`python file_server.py ROOT` writes its port. Below `/private/` it wants the token `sesame`. `/breaking/BYTES/NAME` sends at
most so many bytes of a file per request and then hangs up; `/forgetful/BYTES/NAME` the same, without an ETag. It notes
every request in `ROOT.log`.
"""

from __future__ import annotations

import hashlib
import json
import sys
from urllib.parse import unquote, urlsplit

from stand_in import StandIn, serve

TOKEN = "Bearer sesame"


class Handler(StandIn):
    def do_GET(self) -> None:  # noqa: N802
        name, most, etag = unquote(urlsplit(self.path).path).lstrip("/"), sys.maxsize, True
        if name.startswith(("breaking/", "forgetful/")):
            kind, number, name = name.split("/", 2)
            most, etag = int(number), kind == "breaking"
        file = self.root / name
        if not self._allowed(name):
            return
        if not file.is_file():
            self.answer(404)
            return
        content = file.read_bytes()
        seal = f'"{hashlib.md5(content).hexdigest()}"'
        start = 0
        asked = self.headers.get("Range", "")
        if asked and etag and self.headers.get("If-Range", seal) == seal:
            start = int(asked.removeprefix("bytes=").partition("-")[0])
            if start >= len(content):
                self.answer(416)
                return
        self.send_response(206 if start else 200)
        if etag:
            self.send_header("ETag", seal)
            self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self._note(f"{start}")
        self.wfile.write(content[start : start + most])
        self.close_connection = most < len(content) - start

    def do_PUT(self) -> None:  # noqa: N802
        name = unquote(urlsplit(self.path).path).lstrip("/")
        content = self.body()
        if not self._allowed(name):
            return
        if name.endswith((self.root / "refused").read_text() if (self.root / "refused").exists() else "\0"):
            self.answer(507)
            return
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        self._note(f"{len(content)}")
        self.answer(201)

    def do_POST(self) -> None:  # noqa: N802
        """As Kaggle's service gives out a competition's files: ROOT/COMPETITION.zip to whom the token `sesame` belongs."""
        name = json.loads(self.body())["competitionName"]
        file = self.root / f"{name}.zip"
        if self.headers.get("Authorization") != TOKEN or not self.path.endswith("/DownloadDataFiles"):
            self.answer(401)
        elif name == "rules-not-accepted":
            self.answer(403)
        elif not file.is_file():
            self.answer(404)
        else:  # the files lie elsewhere, and anybody who knows the address may have them
            self.answer(302, Location=f"/{'breaking/1500000/' if name == 'breaks-off' else ''}{name}.zip")

    def _allowed(self, name: str) -> bool:
        if name.startswith("private/") and self.headers.get("Authorization") != TOKEN:
            self.answer(401)
            return False
        return True

    def _note(self, what: str) -> None:
        with self.root.with_suffix(".log").open("a") as log:
            log.write(f"{self.command} {self.path} {what}\n")


if __name__ == "__main__":
    serve(Handler)
