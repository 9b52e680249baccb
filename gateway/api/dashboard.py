"""The operators' dashboard: its page for everybody, its figures for those who may review."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from gateway import dashboard as dashboard_room
from gateway.access.admission import require
from gateway.access.caller import Caller, Scope
from gateway.api.dashboard_example import COMPARISON, SUMMARY
from gateway.api.documentation import answer, problems
from gateway.dashboard.dashboard import Dashboard
from gateway.dashboard.names import ChartName, ChartSize, ThemeName
from gateway.dashboard.periods import Hours
from gateway.dashboard.summary import Summary
from gateway.errors import InvalidRequest, NotFound, NotReady, RecordsUnavailable
from gateway.languages import ENGLISH
from gateway.releases.comparison import Comparison
from gateway.static_files import StaticFile, file_response, read_files

_FOLDER = FilePath(dashboard_room.__file__).parent / "static"
_INDEX = "index.html"
_PRIVATE = {"Cache-Control": "private, no-store"}
_CHART = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 420 165"><g id="figure_1">...</g></svg>'
_PROBLEMS = problems(NotFound, InvalidRequest, RecordsUnavailable)


async def _dashboard(request: Request) -> Dashboard:
    dashboard: Dashboard | None = request.app.state.dashboard
    if dashboard is None:
        raise NotFound("The dashboard is switched off here. GATEWAY_DASHBOARD=true switches it on.")
    return dashboard


async def _class_names(request: Request) -> Mapping[str, str]:
    """English names by class key, in class order, of the release that answers now; empty while there is none."""
    try:
        release = request.app.state.releases.chosen()
    except NotReady:
        return {}
    return {each.key: name for each, name in zip(release.classes, release.names[ENGLISH], strict=True)}


@lru_cache(maxsize=1)
def _shell() -> Mapping[str, StaticFile]:
    return read_files(_FOLDER.iterdir())


DashboardDep = Annotated[Dashboard, Depends(_dashboard)]
ClassNamesDep = Annotated[Mapping[str, str], Depends(_class_names)]
ReviewerDep = Annotated[Caller, Depends(require(Scope.REVIEW))]
HoursQuery = Annotated[Hours, Query(description="Length of the period that ends now.")]

router = APIRouter(dependencies=[Depends(_dashboard)])


@router.api_route("/dashboard", methods=["GET", "HEAD"], include_in_schema=False)
async def page(request: Request) -> Response:
    """The page, which asks for a key by itself."""
    return file_response(request, _shell()[_INDEX])


@router.api_route("/dashboard/{file_name}", methods=["GET", "HEAD"], include_in_schema=False)
async def page_file(request: Request, file_name: str) -> Response:
    """A script or style of the page."""
    file = _shell().get(file_name)
    if file is None:
        raise NotFound(f"There is nothing at {request.url.path}; the dashboard is at /dashboard.")
    return file_response(request, file)


@router.get(
    "/v1/dashboard/summary",
    summary="What was answered lately, in figures",
    tags=["dashboard"],
    responses={**answer(Summary, "The figures.", SUMMARY), **_PROBLEMS},
)
async def summary(
    dashboard: DashboardDep,
    names: ClassNamesDep,
    response: Response,
    reviewer: ReviewerDep,  # noqa: ARG001
    hours: HoursQuery = Hours.DAY,
) -> Summary:
    """Volume, decisions, classes, confidence, latency, releases and feedback; needs the scope `review`."""
    response.headers.update(_PRIVATE)
    return await dashboard.summary(hours, names)


@router.get(
    "/v1/dashboard/comparison",
    summary="A new release beside the stable one",
    tags=["dashboard"],
    responses={**answer(Comparison, "The figures; null where no route was written.", COMPARISON), **_PROBLEMS},
)
async def comparison(
    dashboard: DashboardDep,
    response: Response,
    reviewer: ReviewerDep,  # noqa: ARG001
    hours: HoursQuery = Hours.DAY,
) -> Comparison | None:
    """The candidate, else the previous release, and the shadow beside the stable one; needs the scope `review`."""
    response.headers.update(_PRIVATE)
    return await dashboard.comparison(hours)


@router.get(
    "/v1/dashboard/charts/{name}.svg",
    summary="The same figures as a chart",
    tags=["dashboard"],
    response_class=Response,
    responses={
        200: {
            "description": "The chart.",
            "content": {"image/svg+xml": {"schema": {"type": "string"}, "example": _CHART}},
        },
        **_PROBLEMS,
    },
)
async def chart(
    dashboard: DashboardDep,
    names: ClassNamesDep,
    reviewer: ReviewerDep,  # noqa: ARG001
    name: Annotated[ChartName, Path(description="What is drawn.")],
    hours: HoursQuery = Hours.DAY,
    theme: Annotated[ThemeName, Query(description="What the screen is set to.")] = ThemeName.LIGHT,
    size: Annotated[ChartSize, Query(description="A phone's width, or a card's on a desk.")] = ChartSize.WIDE,
) -> Response:
    """One chart as SVG on a transparent ground; needs the scope `review`."""
    drawn = await dashboard.chart(name, hours, theme, size, names)
    headers = _PRIVATE | {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
    return Response(drawn, media_type="image/svg+xml", headers=headers | {"X-Content-Type-Options": "nosniff"})
