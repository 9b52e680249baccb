"""Photos that travel with a release and what it must answer them, so that whoever serves it can tell that it is itself.

They lie among the ensemble's parameters, as every other fact: a gateway needs no file of the repository. Small and without
metadata, because whoever may ask Triton can read them.
"""

import base64
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from export.calibration import Calibration, sharpen

MOST = 3
SIDES = (256, 192, 128, 64)
QUALITIES = (85, 70)
PHOTO_BYTES = 12 * 1024
TOLERANCE = 0.05
"""Largest difference of a probability on a machine that serves the release: twice what export lets Triton differ by, and
what another decoder adds."""
DIGITS = 5


@dataclass(frozen=True)
class Probe:
    """One photo as a JPEG file."""

    jpeg: bytes

    @cached_property
    def photo(self) -> Image.Image:
        """As it decodes."""
        return Image.open(io.BytesIO(self.jpeg)).convert("RGB")


def take(photos: Sequence[Image.Image], classes: int, room: int) -> list[Probe]:
    """The first photos, made small, as long as they and their answers fit into `room` bytes of JSON; at most three."""
    taken: list[Probe] = []
    for photo in photos[:MOST]:
        candidate = [*taken, Probe(_small_jpeg(photo))]
        widest = np.full((len(candidate), classes), 1 / 9)  # no digit is a zero that would not be written
        if len(json.dumps(facts(candidate, widest))) > room:
            break
        taken = candidate
    return taken


def expected(each: Sequence[NDArray[np.float32]], calibration: Calibration) -> NDArray[np.float64]:
    """The release's probabilities from its members', [probes, classes] each and together."""
    return sharpen(
        np.average(np.asarray(each, float), axis=0, weights=calibration.weights), calibration.after_averaging
    )


def facts(probes: Sequence[Probe], probabilities: NDArray[np.float64]) -> dict[str, Any]:
    """The parameter `probes`: photos in base64, the release's probabilities in class order, and how far they may be off."""
    rows = probabilities.round(DIGITS).tolist()
    photos = [
        {"jpeg": base64.b64encode(probe.jpeg).decode(), "probabilities": row}
        for probe, row in zip(probes, rows, strict=True)
    ]
    return {"tolerance": TOLERANCE, "photos": photos}


def said(given: Mapping[str, Any]) -> dict[str, Any]:
    """The same for the report: photos by their hash."""
    photos = []
    for photo in given["photos"]:
        jpeg = base64.b64decode(photo["jpeg"])
        hashed = hashlib.sha256(jpeg).hexdigest()
        photos.append({"bytes": len(jpeg), "sha256": hashed, "probabilities": photo["probabilities"]})
    return {"tolerance": given["tolerance"], "photos": photos}


def _small_jpeg(photo: Image.Image) -> bytes:
    plain = Image.fromarray(np.asarray(photo.convert("RGB")))  # carries no metadata over
    for side in SIDES:
        scale = min(1.0, side / min(plain.size))
        small = plain.resize((round(plain.width * scale), round(plain.height * scale)), Image.Resampling.LANCZOS)
        for quality in QUALITIES:
            encoded = io.BytesIO()
            small.save(encoded, "JPEG", quality=quality)
            if encoded.tell() <= PHOTO_BYTES:
                return encoded.getvalue()
    return encoded.getvalue()
