"""A real Triton on null releases, gateways in front of it, the release command, and clients that never stop asking."""

import asyncio
import collections
import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import structlog
from null_releases import MARK, NullRelease
from pictures import encoded, textured
from processes import ROOT, GatewayProcess, TritonProcess, free_ports, running_gateway, wait_until
from typer.testing import CliRunner

from gateway.__main__ import app

PHOTO = encoded(textured(320, 240), "JPEG", quality=80)
CLIENTS = 8
PAUSE_S = 0.05
"""Between two requests of a client: the generator shares two cores with what it asks."""
COMMAND_S = 90


def marked(order: str, seed: int = 0) -> bytes:
    """A photo with an order for the null steps, such as `kind=hard`."""
    return encoded(textured(320, 240, seed), "JPEG", quality=80, comment=f"null-model:{order};".encode())


def read_marks(reply: dict[str, Any]) -> set[int]:
    """The releases that the parts of an answer come from; one, where nothing is mixed."""
    rows = [reply["probabilities"], *(member["probabilities"] for member in reply["members"])]
    return {reply["release"], *(round(list(row.values())[-1] * MARK) for row in rows)}


@dataclass
class Stage:
    """What a test starts and asks."""

    folder: Path
    triton: TritonProcess
    settings: dict[str, object] = field(default_factory=dict)

    @property
    def repository(self) -> Path:
        """Triton's."""
        return self.triton.repository

    @property
    def environment(self) -> dict[str, str]:
        """Of every gateway and command of this stage."""
        given = {"data_dir": self.folder / "state", "model_repository": self.repository, **self.settings}
        return {f"GATEWAY_{name.upper()}": str(value) for name, value in given.items()}

    @contextlib.contextmanager
    def gateway(self, name: str = "gateway", ready: bool = True, **settings: object) -> Iterator[GatewayProcess]:
        """A gateway on the stage's database."""
        given = {"data_dir": self.folder / "state", "model_repository": self.repository, **self.settings, **settings}
        log = self.folder / f"{name}.log"
        with running_gateway(self.triton.grpc_url, log, ready=ready, **given) as process:
            yield process

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start `python -m gateway release ...` as an operator does."""
        return subprocess.Popen(
            [sys.executable, "-m", "gateway", "release", *words],
            cwd=ROOT,
            env=os.environ | self.environment | {"GATEWAY_TRITON_URL": self.triton.grpc_url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def command(self, *words: str, code: int = 0) -> str:
        """Run it to its end within this process, which saves importing it; it must end with `code`. What it said."""
        environment = self.environment | {"GATEWAY_TRITON_URL": self.triton.grpc_url}
        result = CliRunner().invoke(app, ["release", *words], env=environment)
        structlog.reset_defaults()  # its logs went to the runner's output, which is closed now
        if isinstance(result.exception, Exception):
            raise result.exception
        assert result.exit_code == code, f"release {' '.join(words)} ended with {result.exit_code}: {result.output}"
        return result.stdout if "--json" in words else result.output

    def said(self, *words: str) -> Any:
        """The command's JSON."""
        return json.loads(self.command(*words, "--json"))

    def move(self, gateway: GatewayProcess, *words: str) -> dict[str, Any]:
        """Run a command that changes the route, and wait until the gateway follows; returns the route."""
        route = self.said(*words)
        followed = re.compile(rf'"version": {route["version"]}\b.*"route changed"')
        wait_until(lambda: followed.search(gateway.log.read_text()) is not None, 3, f"{words} followed")
        return route

    def loaded(self) -> dict[str, set[str]]:
        """Ready versions by model, as Triton says."""
        index = httpx2.post(f"http://127.0.0.1:{self.triton.ports[0]}/v2/repository/index", timeout=10).json()
        found: dict[str, set[str]] = collections.defaultdict(set)
        for model in index:
            if model.get("state") == "READY":
                found[model["name"]].add(model.get("version", ""))
        return dict(found)

    def releases_loaded(self) -> set[int]:
        """Numbers of which anything is loaded: an ensemble or a version of a step."""
        return {int(version) for versions in self.loaded().values() for version in versions}


@contextlib.contextmanager
def staged(folder: Path, *releases: NullRelease, load: int = 1, **settings: object) -> Iterator[Stage]:
    """A stage with these releases on disk, `load` of them loaded."""
    repository = folder / "repository"
    names = [release.write(repository) for release in releases]
    # Triton would wait for requests that it has lost; see test_refusals.
    end_soon = ("--", "--exit-timeout-secs=3")
    triton = TritonProcess(repository, free_ports(3), load=tuple(names[:load]), arguments=end_soon)
    triton.start()
    try:
        yield Stage(folder, triton, settings)
    finally:
        triton.stop()


@dataclass(frozen=True)
class Seen:
    """One request: when it was sent and answered, its status, and the releases that its answer betrays."""

    sent: float
    answered: float
    status: int
    marks: frozenset[int]
    body: str = ""


class Load:
    """Clients that ask until the context ends, on connections that stay open."""

    def __init__(self, url: str, clients: int = CLIENTS, pause_s: float = PAUSE_S, photo: bytes = PHOTO) -> None:
        self._url, self._clients, self._pause_s, self._photo = url, clients, pause_s, photo
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self.seen: list[Seen] = []

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    async def _run(self) -> None:
        async with httpx2.AsyncClient(base_url=self._url, timeout=15) as http:
            await asyncio.gather(*(self._ask(http) for _ in range(self._clients)))

    async def _ask(self, http: httpx2.AsyncClient) -> None:
        while not self._stop.is_set():
            sent = time.monotonic()
            try:
                reply = await http.post("/v1/predict", content=self._photo)
            except httpx2.TransportError as error:
                self.seen.append(Seen(sent, time.monotonic(), 0, frozenset(), repr(error)))
                await asyncio.sleep(0.2)
                continue
            marks = frozenset(read_marks(reply.json())) if reply.status_code == 200 else frozenset()
            body = "" if marks else reply.text
            self.seen.append(Seen(sent, time.monotonic(), reply.status_code, marks, body))
            await asyncio.sleep(self._pause_s)

    def check(self, releases: set[int], at_least: int = 50) -> None:
        """No request has failed, no answer mixes releases, and all of `releases` have answered."""
        failed = [seen for seen in self.seen if seen.status != 200]
        assert not failed, f"{len(failed)} of {len(self.seen)} failed: {failed[:3]}"
        assert all(len(seen.marks) == 1 for seen in self.seen), [s for s in self.seen if len(s.marks) != 1][:3]
        answered = {mark for seen in self.seen for mark in seen.marks}
        assert answered == releases, answered
        assert len(self.seen) >= at_least, len(self.seen)
