"""The API's description as a page: Swagger UI from the package beside us, so that no script comes from elsewhere."""

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path

from fastapi import APIRouter, Request, Response

from gateway.errors import NotFound
from gateway.static_files import SECURITY_HEADERS, StaticFile, file_response, read_files

router = APIRouter(include_in_schema=False)

INDEX = "index.html"
_OWN = Path(__file__).parent / "docs_page"


@lru_cache(maxsize=1)
def _files() -> Mapping[str, StaticFile]:
    with as_file(files("fastapi_swagger.resources")) as folder:
        names = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png")
        return read_files([*_OWN.iterdir(), *(folder / name for name in names)])


@router.api_route("/docs", methods=["GET", "HEAD"])
async def page(request: Request) -> Response:
    """The page."""
    return file_response(request, _files()[INDEX], SECURITY_HEADERS)


@router.api_route("/docs/{file_name}", methods=["GET", "HEAD"])
async def page_file(request: Request, file_name: str) -> Response:
    """A script, style or picture of it."""
    file = _files().get(file_name)
    if file is None:
        raise NotFound(f"There is nothing at {request.url.path}; the API is described at /docs.")
    return file_response(request, file, SECURITY_HEADERS)
