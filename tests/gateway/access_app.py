"""A real HTTP server around the real `Access`, with routes that say who was admitted; no Triton is needed for that."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx2
import uvicorn
from fastapi import Depends, FastAPI, Request
from processes import wait_until
from sqlalchemy import Engine, text

from gateway.access import key_store
from gateway.access.access import Access
from gateway.access.admission import charge, require
from gateway.access.caller import Caller, Scope
from gateway.access.cors import add_cors
from gateway.api.page_token import router as page_token_router
from gateway.database import database_url, open_database, upgrade
from gateway.middleware import RequestContext
from gateway.problems import install_problem_handlers
from gateway.settings import Settings

SECRET = "the secret of the tests, long enough for anything"


@dataclass
class AccessServer:
    """A running server and the database behind it."""

    url: str
    engine: Engine
    access: Access

    def client(self, address: str = "127.0.0.1", **headers: str) -> httpx2.Client:
        """HTTP client that asks from `address`, any of 127.0.0.0/8."""
        transport = httpx2.HTTPTransport(local_address=address)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx2.Client(base_url=self.url, timeout=10, headers=named, transport=transport)

    def make_key(self, *scopes: Scope, owner: str | None = None) -> str:
        """A key that the server knows already."""
        key = key_store.create_key(self.engine, "test", scopes or (Scope.PREDICT,), owner)
        wait_until(lambda: key_store.WELL_FORMED.fullmatch(key)[1] in self.access._keys._active, 3, "key known")
        return key


def build_app(settings: Settings, engine: Engine, access: Access) -> FastAPI:
    """Routes for each scope; they answer who was admitted."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await access.refresh()
        follower = asyncio.create_task(access.follow())
        yield
        follower.cancel()
        await asyncio.gather(follower, return_exceptions=True)
        await access.close()

    app = FastAPI(lifespan=lifespan)
    app.state.access = access

    @app.post("/predict")
    async def predict(
        request: Request, caller: Annotated[Caller, Depends(require(Scope.PREDICT, for_photos=True))], cost: int = 1
    ) -> dict[str, Any]:
        await charge(request, cost)
        return _told(request.state.caller)

    @app.get("/review")
    async def review(caller: Annotated[Caller, Depends(require(Scope.REVIEW))]) -> dict[str, Any]:
        return _told(caller)

    @app.get("/admin")
    async def admin(caller: Annotated[Caller, Depends(require(Scope.ADMIN))]) -> dict[str, Any]:
        return _told(caller)

    @app.get("/defect")
    async def defect() -> None:
        raise RuntimeError("a defect")

    app.include_router(page_token_router)
    app.add_middleware(RequestContext)
    add_cors(app, settings)
    install_problem_handlers(app)
    return app


def _told(caller: Caller) -> dict[str, Any]:
    return {
        "kind": caller.kind,
        "subject": caller.subject,
        "address": caller.address,
        "end_user": caller.end_user,
        "identity": caller.identity,
        "scopes": sorted(caller.scopes),
    }


@contextlib.contextmanager
def access_server(folder: Path, statement: str = "", **settings: Any) -> Iterator[AccessServer]:
    """A server on 127.0.0.1; as far as access knows it listens on all addresses, unless `host` says otherwise.

    `statement` is run in the database before the start.
    """
    configured = Settings(**{"host": "0.0.0.0", "secret": SECRET, "data_dir": folder, **settings})
    engine = open_database(database_url(configured))
    upgrade(engine)
    if statement:
        with engine.begin() as connection:
            connection.execute(text(statement))
    access = Access(configured, engine)
    app = build_app(configured, engine, access)
    server = uvicorn.Server(
        uvicorn.Config(
            app, host="127.0.0.1", port=0, log_config=None, access_log=False, proxy_headers=False, lifespan="on"
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started, 10, "server started")
        port = server.servers[0].sockets[0].getsockname()[1]
        yield AccessServer(f"http://127.0.0.1:{port}", engine, access)
    finally:
        server.should_exit = True
        thread.join(10)
        engine.dispose()
