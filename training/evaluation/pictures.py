"""Photos small enough to travel inside a page, and heat maps laid over them."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from training.data.photos import open_photo

_HEAT = np.array([(20, 24, 60), (74, 40, 130), (176, 52, 110), (240, 110, 60), (252, 200, 80)], np.float32)
"""From cold to hot, after matplotlib's inferno: even in lightness, so that it reads in grey and to the colour-blind."""


def data_uri(picture: Image.Image, quality: int = 78) -> str:
    """A picture as a JPEG `data:` address."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def thumbnail(path: Path, side: int) -> Image.Image:
    """A photo whose longer side is `side` pixels; smaller ones are enlarged without smoothing, as cells are.

    Raises:
        PhotoError: the file is missing or unreadable.
    """
    photo = open_photo(path)
    scale = side / max(photo.size)
    size = max(1, round(photo.width * scale)), max(1, round(photo.height * scale))
    return photo.resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.NEAREST)


def as_seen(pixels: torch.Tensor, mean: tuple[float, ...], std: tuple[float, ...], side: int) -> Image.Image:
    """The photo as the network got it, float32 [3, H, W] normalised, with a longer side of `side` pixels."""
    restored = pixels.cpu() * torch.tensor(std)[:, None, None] + torch.tensor(mean)[:, None, None]
    image = Image.fromarray((restored.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy())
    scale = side / max(image.size)
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)


def heated(photo: Image.Image, heat: NDArray[np.float32], strength: float = 0.72) -> Image.Image:
    """The photo, grey where `heat` [h, w] is 0 and coloured where it is towards 1."""
    enlarged = Image.fromarray(heat.astype(np.float32)).resize(photo.size, Image.Resampling.BICUBIC)
    amount = np.asarray(enlarged, np.float32).clip(0, 1)
    steps = np.linspace(0, 1, len(_HEAT))
    colours = np.stack([np.interp(amount, steps, _HEAT[:, channel]) for channel in range(3)], axis=-1)
    grey = np.asarray(photo.convert("L").convert("RGB"), np.float32)
    share = (strength * np.sqrt(amount))[..., None]
    return Image.fromarray((grey * (1 - share) + colours * share).round().astype(np.uint8))
