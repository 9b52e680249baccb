"""`/v1/routes`: which releases answer, and changing that; for operators."""

from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Engine

from gateway.access.admission import require
from gateway.access.caller import Caller, Scope
from gateway.api.documentation import INFERRING, answer, problems
from gateway.errors import (
    InvalidRequest,
    InvalidRoute,
    RecordsUnavailable,
    ReleaseRefused,
    RouteConflict,
    TritonUnavailable,
    UnknownRelease,
)
from gateway.records.writing import is_down
from gateway.releases.routes import read_changes
from gateway.releases.routing import Route
from gateway.releases.switching import Switching

log = structlog.get_logger()
router = APIRouter(tags=["releases"])

_MOST_CHANGES = 20

Number = Annotated[int, Field(ge=1, lt=2**31)]


class RouteInfo(BaseModel):
    """One task's route."""

    task: str
    stable: int = Field(description="Number of the release that answers.")
    candidate: int | None = Field(description="Release that answers `candidate_share` percent of the callers instead.")
    candidate_share: float
    shadow: int | None = Field(description="Release that is asked beside the stable one and answers nobody.")
    previous: int | None = Field(description="Release that a rollback goes back to.")
    version: int = Field(description="Counts changes; 0 where the highest number answers because no route was written.")
    changed_at: datetime
    changed_by: str


class ChangeInfo(BaseModel):
    """A change, the route as it was afterwards."""

    action: str
    reason: str
    route: RouteInfo


class ReleaseItem(BaseModel):
    """One release."""

    number: int
    role: str | None = Field(description="stable, candidate, shadow or previous; null for any other.")
    loaded: bool = Field(description="Whether Triton has it ready.")
    stored: bool | None = Field(description="Whether the repository holds it; null where the gateway cannot see that.")


class RouteList(BaseModel):
    """The route that is followed here, what there is to choose from, and the last changes, the newest first."""

    route: RouteInfo | None = Field(description="Null where nothing is ready.")
    releases: list[ReleaseItem]
    changes: list[ChangeInfo]


class WantedRoute(BaseModel):
    """The route as it should be. Without a candidate or shadow there is none afterwards.

    The previous release as the stable one is a rollback: nothing is loaded, and nobody stays on a candidate.
    """

    model_config = ConfigDict(extra="forbid")

    stable: Number
    candidate: Number | None = None
    candidate_share: float = Field(default=10.0, gt=0, le=100, description="Percent of the callers; with a candidate.")
    shadow: Number | None = None
    version: int = Field(ge=0, description="Of the route that this was made from; any other is a conflict.")

    def apply(self, route: Route) -> Route:
        """What becomes of `route`.

        Raises:
            InvalidRoute
        """
        if self.stable != route.stable:
            route = route.rolled_back() if self.stable == route.previous else route.promoted(self.stable)
        route = route.without_candidate().without_shadow()
        if self.candidate is not None:
            route = route.with_candidate(self.candidate, self.candidate_share)
        return route if self.shadow is None else route.with_shadow(self.shadow)


_ROUTE: dict[str, Any] = {
    "task": "cassava",
    "stable": 3,
    "candidate": 4,
    "candidate_share": 10.0,
    "shadow": None,
    "previous": 2,
    "version": 6,
    "changed_at": "2026-11-21T03:12:00Z",
    "changed_by": "key:5b3f9c01",
}
_LIST = {
    "route": _ROUTE,
    "releases": [
        {"number": 4, "role": "candidate", "loaded": True, "stored": True},
        {"number": 3, "role": "stable", "loaded": True, "stored": True},
        {"number": 2, "role": "previous", "loaded": True, "stored": True},
    ],
    "changes": [{"action": "canary", "reason": "", "route": _ROUTE}],
}
AdminDep = Annotated[Caller, Depends(require(Scope.ADMIN))]


async def _switching(request: Request, caller: AdminDep) -> AsyncIterator[Switching]:
    engine: Engine = request.app.state.engine
    switching = Switching(
        request.app.state.settings,
        engine,
        f"{caller.kind}:{caller.subject}",
        lambda words: log.info("releases", step=words),
    )
    try:
        yield switching
    except Exception as error:
        if not is_down(error):
            raise
        raise RecordsUnavailable("The routes cannot be reached now. Try again in a few seconds.") from error
    finally:
        await switching.close()


SwitchingDep = Annotated[Switching, Depends(_switching)]


@router.get(
    "/v1/routes",
    summary="Which releases answer",
    responses={
        **answer(RouteList, "The route, the releases and the last changes.", _LIST),
        **problems(TritonUnavailable, RecordsUnavailable),
    },
)
async def routes(switching: SwitchingDep) -> RouteList:
    """The route that this gateway follows, every release, and what was changed lately; needs the scope `admin`."""
    present = await switching.present()
    return RouteList(
        route=_info(present) if present else None,
        releases=[ReleaseItem(**asdict(state)) for state in await switching.inventory()],
        changes=[
            ChangeInfo(action=change.action, reason=change.reason, route=_info(change.route))
            for change in await switching.read(read_changes, _MOST_CHANGES)
        ],
    )


@router.put(
    "/v1/routes/{task}",
    summary="Change which releases answer",
    responses={
        **answer(RouteInfo, "The route as it is now; every gateway follows it within 2 s.", _ROUTE),
        **problems(
            UnknownRelease, RouteConflict, InvalidRoute, ReleaseRefused, InvalidRequest, *INFERRING, RecordsUnavailable
        ),
    },
)
async def change_route(
    switching: SwitchingDep,
    task: Annotated[str, Path(max_length=80, description="Task of the route.", examples=["cassava"])],
    wanted: WantedRoute,
) -> RouteInfo:
    """Load what the route will name, prove it, and move the route; needs the scope `admin`.

    The answer comes when all is done, which takes as long as Triton needs to load a release.
    """
    present = await switching.present()
    if present is not None and present.task != task:
        raise UnknownRelease(
            f"There is no route for the task {task!r} here; GET /v1/routes shows the one that is followed."
        )
    return _info(await switching.move("put", wanted.apply, wanted.version))


def _info(route: Route) -> RouteInfo:
    return RouteInfo(**asdict(route))
