"""Builds the application: what lives as long as the process, its background tasks, routes and error answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from fastapi import FastAPI

from gateway.errors import Problem
from gateway.middleware import RequestContext
from gateway.prediction import Predictor
from gateway.problems import install_problem_handlers
from gateway.readiness import Readiness
from gateway.releases import Releases
from gateway.routes import router
from gateway.settings import Settings
from gateway.triton import Triton

log = structlog.get_logger()


def create_app(settings: Settings) -> FastAPI:
    """The gateway as an ASGI application; it connects to Triton when the server starts it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        triton = Triton(settings)  # a gRPC channel belongs to the running event loop
        releases = Releases(triton, settings.poll_interval_s)
        readiness = Readiness(settings, triton, releases)
        predictor = Predictor(settings, triton, releases, readiness)
        app.state.readiness, app.state.predictor = readiness, predictor
        with suppress(Problem):  # Triton may start later than the gateway
            await releases.refresh()
        followers = [asyncio.create_task(releases.follow()), asyncio.create_task(readiness.follow())]
        log.info("gateway started", host=settings.host, port=settings.port, triton=settings.triton_url)
        yield
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
        predictor.close()
        await triton.close()
        log.info("gateway stopped")

    app = FastAPI(
        title="Leaf ensemble gateway",
        description="A leaf photo to a diagnosis.",
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.include_router(router)
    app.add_middleware(RequestContext)
    install_problem_handlers(app)
    return app
