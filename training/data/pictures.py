"""Photos as small pictures inside a page: strips of thumbnails, and of what augmentation makes of a photo."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import torch
from PIL import Image, ImageOps
from torchvision.transforms.v2 import functional

from training.config.groups import TrainingConfig
from training.data.loading import EpochSampler, TrainingPhotos
from training.data.photos import Photo, as_rgb
from training.learning.augmentation import TrainingTransform

SIDE = 128
GAP = 4
_COLUMNS = 8


def thumbnail(photo: Photo) -> Image.Image:
    """The photo upright, cropped to a square of `SIDE` pixels in its middle."""
    with Image.open(photo.path) as image:
        image.draft("RGB", (2 * SIDE, 2 * SIDE))
        upright = ImageOps.exif_transpose(image)
        return ImageOps.fit(as_rgb(upright), (SIDE, SIDE), Image.Resampling.BICUBIC)


def strip(pictures: Sequence[Image.Image], columns: int = _COLUMNS) -> str:
    """Squares of `SIDE` pixels in rows of `columns`, white between them, as the data URI of one JPEG."""
    rows = -(-len(pictures) // columns)
    columns = min(columns, len(pictures))
    step = SIDE + GAP
    sheet = Image.new("RGB", (columns * step - GAP, rows * step - GAP), "white")
    for place, picture in enumerate(pictures):
        sheet.paste(picture, (place % columns * step, place // columns * step))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=78)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def augmented(photo: Photo, config: TrainingConfig, count: int) -> list[Image.Image]:
    """What the network is shown of a photo in `count` epochs, colours as they were before normalisation."""
    from_disk = config.model_copy(update={"dataset": config.dataset.model_copy(update={"cache": "disk"})})
    photos = TrainingPhotos([photo], from_disk, TrainingTransform(config.augmentation, config.model))
    sampler = EpochSampler(1, config.schedule.seed)
    mean, std = (torch.tensor(values)[:, None, None] for values in (config.model.mean, config.model.std))
    pictures = []
    for epoch in range(count):
        sampler.set_epoch(epoch)
        pixels = photos[next(iter(sampler))][0] * std + mean
        picture: Image.Image = functional.to_pil_image(pixels.clamp(0, 1))
        pictures.append(picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    return pictures
