"""`/health` and `/health/ready`: for whoever starts, watches and balances gateways."""

from fastapi import APIRouter, Request
from pydantic import BaseModel

from gateway.api.dependencies import ReadinessDep
from gateway.api.documentation import answer, problems
from gateway.draining import is_draining
from gateway.errors import NotReady, ShuttingDown

router = APIRouter(tags=["health"])


class Live(BaseModel):
    """The process answers."""

    status: str


class Ready(Live):
    """Photos are answered, by this release."""

    release: int


@router.get("/health", summary="Is the process alive?", responses=answer(Live, "It answers.", {"status": "live"}))
@router.head("/health", include_in_schema=False)
async def health() -> Live:
    """Alive as long as this answers; says nothing about Triton."""
    return Live(status="live")


@router.get(
    "/health/ready",
    summary="Can it answer photos?",
    responses={**answer(Ready, "It can.", {"status": "ready", "release": 3}), **problems(NotReady, ShuttingDown)},
)
@router.head("/health/ready", include_in_schema=False)
async def health_ready(request: Request, readiness: ReadinessDep) -> Ready:
    """Ready when the chosen release has answered an inference within the last seconds."""
    if is_draining(request.scope["state"]):
        raise ShuttingDown("This gateway is shutting down. Ask another one.")
    return Ready(status="ready", release=readiness.require().number)
