"""The token with which the public page asks, given to the page alone."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from gateway.access.access import Access
from gateway.access.admission import count_address
from gateway.errors import NotFound

router = APIRouter()


class PageToken(BaseModel):
    """A token for `Authorization: Bearer`, valid for `expires_in` seconds."""

    token: str
    expires_in: int


async def _access(request: Request) -> Access:
    access: Access = request.app.state.access
    return access


@router.get(
    "/page/token", summary="A token for the page", include_in_schema=False, dependencies=[Depends(count_address)]
)
async def page_token(request: Request, response: Response, access: Annotated[Access, Depends(_access)]) -> PageToken:
    """A token for the page that asks from this origin; 404 where the page is off or none is needed."""
    response.headers["Cache-Control"] = "no-store"
    issued = access.issue_page_token(request)
    if issued is None:
        raise NotFound("There is no token here: the page is switched off, or this gateway needs none.")
    token, lifetime_s = issued
    return PageToken(token=token, expires_in=lifetime_s)
