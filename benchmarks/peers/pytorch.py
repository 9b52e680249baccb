"""FastAPI and PyTorch in one process: both members run eagerly for each photo.

Decoding runs in FastAPI's thread pool, the networks one photo at a time with all cores: several at once would only
fight for them. `PEER_MEMBERS` names the trained-model folders, `PEER_DTYPE` is `float32` or `bfloat16`.
"""

import io
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import Annotated, Any

import timm
import torch
from fastapi import Body, FastAPI
from PIL import Image, ImageOps
from timm.data.config import resolve_model_data_config
from timm.data.transforms_factory import create_transform

Member = tuple[torch.nn.Module, Callable[[Image.Image], torch.Tensor]]

members: list[Member] = []
turn = threading.Lock()
half = os.environ.get("PEER_DTYPE") == "bfloat16"


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Load every member before the first request."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    for folder in os.environ["PEER_MEMBERS"].split(os.pathsep):
        network = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
        members.append((network, create_transform(**resolve_model_data_config(network))))
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/health/ready")
def ready() -> dict[str, str]:
    """Answers once the members are loaded."""
    return {"status": "ready"}


@app.post("/v1/predict")
def predict(photo: Annotated[bytes, Body(media_type="application/octet-stream")]) -> dict[str, Any]:
    """An image file in, the averaged probabilities out, in class order."""
    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(photo))).convert("RGB")
    views = [transform(picture)[None] for _, transform in members]
    precision = torch.autocast("cpu", torch.bfloat16) if half else nullcontext()
    with turn, torch.inference_mode(), precision:
        answers = [network(view).float().softmax(1) for (network, _), view in zip(members, views, strict=True)]
    mean = torch.stack(answers).mean(0)[0]
    return {"probabilities": mean.tolist(), "predicted_class_id": int(mean.argmax())}
