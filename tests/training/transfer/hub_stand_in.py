"""A stand-in for the Hugging Face hub: the few requests by which its client makes a repository, commits and downloads.

`python hub_stand_in.py ROOT` writes its port; a commit's files lie in ROOT/OWNER/NAME/COMMIT. It stores every file as a
regular one, so the hub's large-file storage is not tried. The token is `hf_sesame`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any
from urllib.parse import unquote, urlsplit

from stand_in import StandIn, serve

REPOSITORY = r"([\w.-]+/[\w.-]+)"


class Handler(StandIn):
    def do_POST(self) -> None:  # noqa: N802
        body = self.body()
        path = urlsplit(self.path).path
        if self.headers.get("Authorization") != "Bearer hf_sesame":
            self._json(401, {"error": "Invalid credentials"})
        elif path == "/api/repos/create":
            asked = json.loads(body)
            folder = self.root / asked["organization"] / asked["name"]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "visibility").write_text(json.dumps([asked.get("private"), asked.get("visibility")]))
            self._json(200, {"url": f"https://huggingface.co/{asked['organization']}/{asked['name']}"})
        elif "/preupload/" in path:
            files = [
                {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                for one in json.loads(body)["files"]
            ]
            self._json(200, {"files": files})
        elif found := re.fullmatch(rf"/api/models/{REPOSITORY}/commit/main", path):
            commit = hashlib.sha1(body).hexdigest()
            for line in body.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    file = self.root / found[1] / commit / entry["value"]["path"]
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_bytes(base64.b64decode(entry["value"]["content"]))
            (self.root / found[1] / "main").write_text(commit)
            self._json(200, {"commitUrl": f"https://huggingface.co/{found[1]}/commit/{commit}", "commitOid": commit})
        else:
            self._json(404, {"error": path})

    def do_HEAD(self) -> None:  # noqa: N802
        self.do_GET()

    def do_GET(self) -> None:  # noqa: N802
        path = unquote(urlsplit(self.path).path)
        if found := re.fullmatch(rf"/{REPOSITORY}/resolve/([0-9a-f]{{40}})/(.+)", path):
            file = self.root / found[1] / found[2] / found[3]
            if file.is_file():
                content = file.read_bytes()
                seal = f'"{hashlib.sha1(content).hexdigest()}"'
                self.answer(200, content, ETag=seal, X_Repo_Commit=found[2])
            else:
                self.answer(404, X_Error_Code="EntryNotFound", X_Repo_Commit=found[2])
        elif found := re.fullmatch(rf"/api/models/{REPOSITORY}(?:/revision/main)?", path):
            main = self.root / found[1] / "main"
            if main.is_file():
                self._json(200, {"id": found[1], "sha": main.read_text(), "siblings": [], "private": True, "tags": []})
            else:
                self.answer(404, X_Error_Code="RepoNotFound")
        else:
            self._json(404, {"error": path})

    def _json(self, status: int, value: Any) -> None:
        self.answer(status, json.dumps(value).encode(), Content_Type="application/json")


if __name__ == "__main__":
    serve(Handler)
