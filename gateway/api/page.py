"""The public page and its files, where it is not switched off."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from gateway.errors import NotFound
from gateway.page.files import Page
from gateway.static_files import FOR_EVER, REVALIDATED, file_response

router = APIRouter(include_in_schema=False)


async def _page(request: Request) -> Page:
    page: Page | None = request.app.state.page
    if page is None:
        raise NotFound("The page is switched off here. GATEWAY_PAGE=true switches it on; /docs describes the API.")
    return page


PageDep = Annotated[Page, Depends(_page)]


@router.api_route("/", methods=["GET", "HEAD"])
async def document(request: Request, page: PageDep) -> Response:
    """The page itself, which names the version of its files."""
    return file_response(request, page.index)


@router.api_route("/page/{version}/{name:path}", methods=["GET", "HEAD"])
async def page_file(request: Request, page: PageDep, version: str, name: str) -> Response:
    """A script, style or text; a document of another version, still open somewhere, gets the present one."""
    file = page.files.get(name)
    if file is None:
        raise NotFound(f"There is nothing at {request.url.path}; the page is at /.")
    return file_response(request, file, caching=FOR_EVER if version == page.version else REVALIDATED)
