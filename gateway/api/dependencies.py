"""The parts of the application that routes use, and the form in which they answer."""

import json
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response

from gateway.predictions.parts import Parts
from gateway.triton.readiness import Readiness
from gateway.triton.releases import Releases


async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


async def _readiness(request: Request) -> Readiness:
    readiness: Readiness = request.app.state.readiness
    return readiness


async def _releases(request: Request) -> Releases:
    releases: Releases = request.app.state.releases
    return releases


PartsDep = Annotated[Parts, Depends(_parts)]
ReadinessDep = Annotated[Readiness, Depends(_readiness)]
ReleasesDep = Annotated[Releases, Depends(_releases)]
Explain = Annotated[bool, Query(description="Also say where in the photo the members saw the class, as a picture.")]
KeepPhoto = Annotated[
    bool, Query(description="The photo's owner agrees that it is kept to learn from; needs a gateway that keeps any.")
]


def worded_json(reply: dict[str, Any], language: str) -> Response:
    """A reply whose names are in `language`."""
    return Response(
        json.dumps(reply, ensure_ascii=False, allow_nan=False),
        media_type="application/json",
        headers={"Content-Language": language, "Vary": "Accept-Language"},
    )
