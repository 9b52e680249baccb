"""A real HTTP server with the dashboard and the routes of feedback, on a database with a past; Triton is not needed."""

import asyncio
import contextlib
import random
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from processes import wait_until
from record_entries import CLASS_KEYS, entry
from records_app import OneRelease, RecordServer, read_keys
from sqlalchemy import Engine, insert

from gateway.access.access import Access
from gateway.access.secret import load_secret
from gateway.api.dashboard import router as dashboard_router
from gateway.api.feedback import router as feedback_router
from gateway.dashboard.dashboard import Dashboard
from gateway.database import write
from gateway.database.schema import feedback, predictions
from gateway.middleware import RequestContext
from gateway.observe.metrics import Metrics
from gateway.observe.traces import Traces
from gateway.problems import install_problem_handlers
from gateway.records.entry import PredictionEntry
from gateway.records.recorder import Recorder
from gateway.records.records import Records
from gateway.records.rows import prediction_row
from gateway.settings import Settings
from gateway.uploads.reading import UploadReader


def store(engine: Engine, *entries: PredictionEntry) -> None:
    """Write entries as the recorder does."""
    rows = [prediction_row(each) for each in entries]
    with write(engine) as connection:
        for start in range(0, len(rows), 1000):
            connection.execute(insert(predictions), rows[start : start + 1000])


def opinion(about: PredictionEntry, verdict: str, **changes: Any) -> dict[str, Any]:
    """A row of feedback on an entry."""
    row = {
        "id": uuid.uuid4().hex,
        "prediction_id": about.prediction_id,
        "client": "c" * 32,
        "created_at": about.created_at + timedelta(seconds=20),
        "verdict": verdict,
        "class_key": None,
        "comment": None,
        "status": "pending",
        "confirmed_class_key": None,
    }
    return row | changes


def say(engine: Engine, about: PredictionEntry, verdict: str, **changes: Any) -> str:
    """Store feedback on an entry; returns its id."""
    row = opinion(about, verdict, **changes)
    with write(engine) as connection:
        connection.execute(insert(feedback), row)
    return str(row["id"])


def past(count: int, hours: float, seed: int = 0, **changes: Any) -> Iterator[PredictionEntry]:
    """Plausible answers of the last `hours`, the same for the same seed but for the present time."""
    chance = random.Random(seed)
    now = datetime.now(UTC)
    for _ in range(count):
        age_h = chance.random() ** 1.3 * hours
        weights = [chance.gammavariate(shape, 1) for shape in (0.5, 0.5, 0.4, 2.5, 1.0)]
        probabilities = dict(zip(CLASS_KEYS, (each / sum(weights) for each in weights), strict=True))
        likeliest = max(probabilities, key=probabilities.__getitem__)
        confidence = probabilities[likeliest]
        decision = "accepted" if confidence > 0.55 else "uncertain"
        release = 8 if age_h < hours / 3 and chance.random() < 0.5 else 7
        timings = {
            "receive": chance.expovariate(1 / 20),
            "queue": chance.expovariate(1 / 2),
            "check": 2 + chance.expovariate(1 / 6),
            "infer": 40 + chance.expovariate(1 / 15),
            "respond": chance.random(),
        }
        values: dict[str, Any] = {
            "prediction_id": uuid.UUID(int=chance.getrandbits(128), version=4).hex,
            "created_at": now - timedelta(hours=age_h),
            "release": release,
            "class_key": likeliest,
            "confidence": confidence,
            "decision": "rejected" if chance.random() < 0.04 else decision,
            "probabilities": probabilities,
            "prediction_set": [likeliest],
            "timings_ms": timings | {"total": sum(timings.values())},
        }
        yield entry(**values | changes)


@contextlib.contextmanager
def dashboard_server(engine: Engine, folder: Path, **changes: Any) -> Iterator[RecordServer]:
    """A server on 127.0.0.1 that needs a key unless `host` says otherwise; `changes` of settings by field name."""
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
        dashboard = app.state.dashboard = Dashboard(engine) if settings.dashboard else None
        await access.refresh()
        follower = asyncio.create_task(access.follow())
        yield
        follower.cancel()
        await asyncio.gather(follower, return_exceptions=True)
        records.close()
        await recorder.close()
        if dashboard is not None:
            dashboard.close()

    app = FastAPI(lifespan=lifespan)
    app.include_router(dashboard_router)
    app.include_router(feedback_router)
    app.add_middleware(RequestContext, metrics=Metrics(), traces=Traces("", 1.0))
    install_problem_handlers(app)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started, 10, "server started")
        url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        yield RecordServer(url, settings, engine, recorder, secret, lambda: read_keys(app, loops[0]))
    finally:
        server.should_exit = True
        thread.join(10)
