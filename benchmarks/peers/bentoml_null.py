"""BentoML with a null model: a photo as the raw body, decoded once to see that it is whole, the same answer always.

One worker and an asynchronous method, so that no thread pool stands between the request and the model.
"""

import io
from pathlib import Path
from typing import Annotated, Any

import bentoml
from bentoml.validators import ContentType
from PIL import Image

CLASSES = ["cbb", "cbsd", "cgm", "cmd", "healthy"]


@bentoml.service(workers=1, traffic={"timeout": 30}, metrics={"enabled": False}, logging={"access": {"enabled": False}})
class NullModel:
    """One row of probabilities for every photo."""

    @bentoml.api(route="/v1/predict")
    async def predict(self, photo: Annotated[Path, ContentType("image/jpeg")], /) -> dict[str, Any]:
        """Look that the photo decodes, as the gateway does: at an eighth of its size."""
        with Image.open(io.BytesIO(photo.read_bytes())) as image:
            image.draft(None, (image.width // 8, image.height // 8))
            image.load()
        return {
            "predicted_class_id": 0,
            "probabilities": dict(zip(CLASSES, [0.91, 0.02, 0.01, 0.03, 0.03], strict=True)),
        }
