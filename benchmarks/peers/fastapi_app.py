"""FastAPI in one process, as most repositories have it: every photo for itself.

Decoding runs in FastAPI's thread pool, the networks one photo at a time with all cores: several at once would only
fight for them.
"""

import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Body, FastAPI, HTTPException

from benchmarks.peers.networks import Networks, reply

loaded: list[Networks] = []
turn = threading.Lock()


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Load every member before the first request."""
    loaded.append(Networks(len(os.sched_getaffinity(0))))
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/health/ready")
def ready() -> dict[str, str]:
    """Answers once the members are loaded."""
    return {"status": "ready"}


@app.post("/v1/predict")
def predict(photo: Annotated[bytes, Body(media_type="image/jpeg")]) -> dict[str, Any]:
    """An image file in, the averaged probabilities out, in class order."""
    try:
        views = loaded[0].views(photo)
    except OSError as error:
        raise HTTPException(422, "the photo cannot be decoded") from error
    with turn:
        (probabilities,) = loaded[0]([views])
    return reply(probabilities)
