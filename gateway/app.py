"""Builds the application: what lives as long as the process, its background tasks, routes and error answers."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from fastapi import FastAPI

from gateway.access.access import Access
from gateway.access.admission import charge
from gateway.access.cors import add_cors
from gateway.access.secret import load_secret
from gateway.api import (
    batch,
    classes,
    dashboard,
    diagnoses,
    docs,
    feedback,
    health,
    page,
    page_token,
    predict,
    records,
    release,
    routes,
)
from gateway.api.documentation import install_description
from gateway.dashboard.dashboard import Dashboard
from gateway.database import database_url, open_database
from gateway.errors import Problem
from gateway.images.checking import MemoryBudget
from gateway.logs import configure_logs
from gateway.middleware import RequestContext
from gateway.observe.metrics import Metrics
from gateway.observe.traces import Traces
from gateway.page.files import read_page
from gateway.predictions.answering import Answering
from gateway.predictions.journal import Journal
from gateway.predictions.parts import Parts
from gateway.predictions.slots import Slots
from gateway.problems import install_problem_handlers
from gateway.records.purging import purge_daily
from gateway.records.recorder import Recorder
from gateway.records.records import Records
from gateway.releases.following import Routes
from gateway.releases.guarding import Guard
from gateway.releases.restoring import restore
from gateway.releases.shadowing import Shadowing
from gateway.settings import Settings, load_settings
from gateway.triton.client import Triton
from gateway.triton.control import Control
from gateway.triton.readiness import Readiness
from gateway.triton.releases import Releases
from gateway.uploads.reading import UploadReader

log = structlog.get_logger()


def create_app_from_environment() -> FastAPI:
    """The application of a worker process, which shares nothing with its parent but the environment."""
    settings = load_settings()
    configure_logs(settings.log_level)
    return create_app(settings)


def create_app(settings: Settings) -> FastAPI:
    """The gateway as an ASGI application; it connects to Triton when the server starts it."""
    metrics, traces = Metrics(), Traces(settings.otlp_endpoint, settings.trace_share)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = open_database(database_url(settings))
        access = Access(settings, engine)
        memory = MemoryBudget(settings.decode_memory_bytes)
        recorder = Recorder(settings, engine, memory.for_threads())
        stored = Records(settings, engine, load_secret(settings), recorder)
        figures = Dashboard(engine, settings.task) if settings.dashboard else None
        triton = Triton(settings)  # a gRPC channel belongs to the running event loop
        control = Control(settings)
        followed = Routes(settings, engine)
        releases = Releases(triton, settings.poll_interval_s, followed.current)
        readiness = Readiness(settings, triton, releases)
        uploads = UploadReader(settings)
        shadowing = Shadowing(settings, engine, triton, releases, metrics.observe_shadow)
        guard = Guard(settings, engine, followed)
        answering = Answering(settings, triton, releases, readiness, traces, memory, shadowing, guard)
        app.state.parts = Parts(
            settings=settings,
            uploads=uploads,
            answering=answering,
            slots=Slots(settings),
            journal=Journal(settings, load_secret(settings), recorder.put, metrics.observe),
            charge=charge,
            count_problem=metrics.observe_problem,
            traces=traces,
        )
        app.state.access, app.state.recorder, app.state.records, app.state.dashboard = access, recorder, stored, figures
        app.state.engine = engine
        app.state.releases, app.state.readiness, app.state.uploads = releases, readiness, uploads
        await access.refresh()
        await followed.refresh()
        with suppress(Problem):  # Triton may start later than the gateway
            await releases.refresh()
        followers = [
            asyncio.create_task(access.follow()),
            asyncio.create_task(followed.follow(releases.route_changed)),
            asyncio.create_task(releases.follow()),
            asyncio.create_task(restore(releases, control)),
            asyncio.create_task(shadowing.work()),
            asyncio.create_task(shadowing.write()),
            asyncio.create_task(guard.follow()),
            asyncio.create_task(readiness.follow()),
            asyncio.create_task(metrics.follow(readiness, recorder, releases, app.state.parts.slots)),
            asyncio.create_task(purge_daily(engine, settings)),
        ]
        log.info("gateway started", host=settings.host, port=settings.port, triton=settings.triton_url, pid=os.getpid())
        yield
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
        answering.close()
        await triton.close()
        await control.close()
        followed.close()
        await shadowing.close()
        guard.close()
        await recorder.close()
        await access.close()
        stored.close()
        if figures is not None:
            figures.close()
        engine.dispose()
        await traces.close()
        log.info("gateway stopped", pid=os.getpid())

    app = FastAPI(
        title="Leaf ensemble gateway",
        description="A leaf photo to a diagnosis.",
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,  # they would load scripts from elsewhere
        redoc_url=None,
    )
    app.state.settings, app.state.metrics, app.state.traces = settings, metrics, traces
    app.state.page = read_page(settings.keep_photos) if settings.page else None
    photos = (predict, batch, diagnoses)
    facts = (feedback, records, classes, release, routes, health)
    for part in (*photos, *facts, docs, page_token, page, dashboard):
        app.include_router(part.router)
    app.add_middleware(RequestContext, metrics=metrics, traces=traces, log_addresses=settings.log_addresses)
    add_cors(app, settings)
    install_problem_handlers(app)
    install_description(app, settings)
    return app
