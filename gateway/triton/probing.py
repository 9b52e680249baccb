"""A small photo that shows whether a release answers at all."""

import functools
import io

from PIL import Image

from gateway.triton.client import Triton
from gateway.triton.release import Release

_SIDE = 64


async def probe(triton: Triton, release: Release) -> None:
    """Have `release` answer; costs an inference.

    Raises:
        Problem: it did not.
    """
    await triton.infer(release, probe_image(), "readiness-probe")


@functools.cache
def probe_image() -> bytes:
    """A grey ramp as JPEG."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((_SIDE, _SIDE)).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()
