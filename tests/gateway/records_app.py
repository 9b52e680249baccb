"""A real HTTP server with the routes of the record, the real recorder, access and database; Triton is not needed."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from fastapi import FastAPI
from null_repository import release_parameters
from processes import wait_until
from sqlalchemy import Engine

from gateway.access import key_store
from gateway.access.access import Access
from gateway.access.caller import Caller, Scope
from gateway.access.secret import keyed_hash, load_secret
from gateway.api.feedback import router as feedback_router
from gateway.api.records import router as records_router
from gateway.middleware import RequestContext
from gateway.problems import install_problem_handlers
from gateway.records.entry import PredictionEntry
from gateway.records.recorder import Recorder
from gateway.records.records import Records
from gateway.settings import Settings
from gateway.triton.release import Release, read_release
from gateway.uploads.reading import UploadReader


class OneRelease:
    """A release that is always chosen."""

    def chosen(self) -> Release:
        """Release 1 of the null repository."""
        return read_release("leaf_ensemble_1", {key: json.dumps(value) for key, value in release_parameters(1).items()})


@dataclass
class RecordServer:
    """A running server and what is behind it."""

    url: str
    settings: Settings
    engine: Engine
    recorder: Recorder
    secret: bytes
    read_keys: Callable[[], object]
    """Has the server look at its keys now."""
    keys: dict[str, str] = field(default_factory=dict)

    def client(
        self, *scopes: Scope, end_user: str | None = None, name: str = "", replaces: str | None = None
    ) -> httpx2.Client:
        """An HTTP client with a key of these scopes; another `name` is another key. Without scopes: no key."""
        headers = {"X-End-User": end_user} if end_user else {}
        if scopes:
            owner = None if replaces is None else self._key(scopes, replaces).split("_")[1]
            headers["Authorization"] = f"Bearer {self._key(scopes, name, owner)}"
        return httpx2.Client(base_url=self.url, timeout=30, headers=headers)

    def _key(self, scopes: tuple[Scope, ...], name: str, owner: str | None = None) -> str:
        label = name + ",".join(sorted(scopes))
        if label not in self.keys:
            self.keys[label] = key_store.create_key(self.engine, "test", scopes, owner)
            self.read_keys()
        return self.keys[label]

    def client_hash(self, *scopes: Scope, end_user: str | None = None, name: str = "") -> str:
        """The hash under which such a client's predictions are stored."""
        subject = self._key(scopes, name).split("_")[1]
        hashed = keyed_hash(self.secret, f"end-user:{end_user}") if end_user else None
        caller = Caller("key", subject, frozenset(scopes), "127.0.0.1", hashed)
        return keyed_hash(self.secret, caller.identity)

    def put(self, entry: PredictionEntry) -> str:
        """Hand an entry to the recorder; its prediction id."""
        self.recorder.put(entry)
        return entry.prediction_id


def read_keys(app: FastAPI, loop: asyncio.AbstractEventLoop) -> None:
    """Have a server that runs in another thread look at its keys now, as it does by itself from time to time."""
    asyncio.run_coroutine_threadsafe(app.state.access.refresh(), loop).result(20)


@contextlib.contextmanager
def record_server(engine: Engine, folder: Path, **changes: Any) -> Iterator[RecordServer]:
    """A server on 127.0.0.1 that needs a key; `changes` of settings by field name."""
    settings = Settings(**{"host": "0.0.0.0", "data_dir": folder, "keys_interval_s": 0.1, **changes})
    secret = load_secret(settings)
    recorder = Recorder(settings, engine)
    loops: list[asyncio.AbstractEventLoop] = []

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        loops.append(asyncio.get_running_loop())
        access = app.state.access = Access(settings, engine)
        app.state.recorder = recorder
        records = app.state.records = Records(settings, engine, secret, recorder)
        app.state.uploads = UploadReader(settings)
        app.state.releases = OneRelease()
        await access.refresh()
        follower = asyncio.create_task(access.follow())
        yield
        follower.cancel()
        await asyncio.gather(follower, return_exceptions=True)
        await access.close()
        access._keys._thread.shutdown()  # a query that still runs would keep its connection
        records.close()

    app = FastAPI(lifespan=lifespan)
    app.include_router(records_router)
    app.include_router(feedback_router)
    app.add_middleware(RequestContext)
    install_problem_handlers(app)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started, 30, "server started")
        url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        yield RecordServer(url, settings, engine, recorder, secret, lambda: read_keys(app, loops[0]))
    finally:
        server.should_exit = True
        thread.join(10)
        asyncio.run(recorder.close())
