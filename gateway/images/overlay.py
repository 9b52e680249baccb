"""Where in the photo the members saw a class, as a transparent picture to lay over it.

The maps are class activation maps (Zhou et al., "Learning deep features for discriminative localization", CVPR 2016): what
each cell of a member's view adds to the class's logit.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gateway.triton.release import Answer, Member, Release, View

_LONGER_SIDE = 384
_LEVELS = 48  # shades of evidence; few, so that the file is small
_MOST_OPAQUE = 205
_FAINT = 0.3
"""Evidence up to this share of the strongest stays clear: a map of few cells would else cover half of the photo."""
_FADE = 0.08
"""Share of a view along each edge over which its evidence fades in: views end in straight lines, evidence does not."""
# Violet to pale pink: bluer than any leaf, which the colour-blind see too, and lighter all the way.
_COLOUR_STOPS = ((70, 0, 130), (200, 20, 230), (250, 205, 255))


def overlay_png(width: int, height: int, answer: Answer, release: Release, class_id: int) -> bytes | None:
    """The evidence for one class over the whole photo.

    Each member's positive evidence is divided by its greatest; the members that have a map are averaged by their weights in
    the release. Parts of the photo that no such member saw stay clear, and those with little evidence too.

    Args:
        width: of the upright photo in pixels, like `height`.
        answer: with the activation maps.
        release: that answered.
        class_id: whose evidence is shown.

    Returns:
        An RGBA PNG of the photo's aspect, its longer side 384 pixels, or None where no member has a map.
    """
    explained = [(m, weight) for m, weight in zip(release.members, release.weights, strict=True) if shows(m, answer)]
    if not explained:
        return None
    scale = _LONGER_SIDE / max(width, height)
    columns, rows = max(1, round(width * scale)), max(1, round(height * scale))
    evidence = np.zeros((rows, columns), np.float32)
    total = sum(weight for _, weight in explained) or 1.0
    for member, weight in explained:
        positive = np.maximum(answer.activation_maps[member.name][class_id], 0)
        greatest = float(positive.max())
        if greatest > 0 and member.view:
            down, across = _placing(positive.shape, (rows, columns), member.view, width, height)
            # Not `@`: a BLAS starts threads for it, which cost more than the work when the cores are busy.
            stretched = np.einsum("rh,hw->rw", down, positive * (weight / total / greatest))
            evidence += np.einsum("rw,cw->rc", stretched, across)
    strongest = float(evidence.max()) or 1.0
    shown = np.maximum(evidence / strongest - _FAINT, 0) / (1 - _FAINT)
    buffer = io.BytesIO()
    Image.fromarray(_SHADES[np.rint(shown * (_LEVELS - 1)).astype(np.intp)]).save(buffer, "PNG")
    return buffer.getvalue()


def shows(member: Member, answer: Answer) -> bool:
    """Whether the answer holds a map of this member and the release says where in the photo it belongs."""
    return member.name in answer.activation_maps and member.view is not None


def _placing(
    cells: tuple[int, ...], pixels: tuple[int, int], view: View, width: int, height: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Matrices that put a map onto the canvas: FP32 `[rows, h]` and `[columns, w]`."""
    starts_and_ends = zip(*view_in_photo(view, width, height), strict=True)
    down, across = (
        _interpolation(cell_count, pixel_count, start, end)
        for cell_count, pixel_count, (start, end) in zip(cells, pixels, starts_and_ends, strict=True)
    )
    return down, across


def view_in_photo(view: View, width: int, height: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where a member's view lies: its top left and bottom right corner as (down, across), shares of the photo's sides.

    The geometry of the step `preprocess`: the photo is scaled to whole pixels and the middle cut out, the odd pixel of the
    margin by Python's `round`.
    """
    targets = int(view.height / view.crop_pct), int(view.width / view.crop_pct)
    shorter = min(width, height)
    scaled = targets if view.crop_mode == "squash" else (height * targets[0] // shorter, width * targets[1] // shorter)
    starts = [round((side - part) / 2) for side, part in zip(scaled, (view.height, view.width), strict=True)]
    first = starts[0] / scaled[0], starts[1] / scaled[1]
    return first, ((starts[0] + view.height) / scaled[0], (starts[1] + view.width) / scaled[1])


def _interpolation(cells: int, pixels: int, start: float, end: float) -> NDArray[np.float32]:
    """Linear interpolation along one side, FP32 `[pixels, cells]`; fading to zeros at `start` and `end`."""
    inside = ((np.arange(pixels) + 0.5) / pixels - start) / (end - start)
    places = np.clip(inside * cells - 0.5, 0, cells - 1)
    weights = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(cells)))
    weights *= np.clip(np.minimum(inside, 1 - inside) / _FADE, 0, 1)[:, None]
    placed: NDArray[np.float32] = weights.astype(np.float32)
    return placed


def _shades() -> NDArray[np.uint8]:
    """RGBA of each level of evidence, uint8 `[levels, 4]`: the first is clear, the last the most opaque."""
    evidence = np.linspace(0, 1, _LEVELS)
    stops = np.linspace(0, 1, len(_COLOUR_STOPS))
    colours = [np.interp(evidence, stops, channel) for channel in zip(*_COLOUR_STOPS, strict=True)]
    return np.rint(np.stack([*colours, _MOST_OPAQUE * (1 - (1 - evidence) ** 2)], axis=1)).astype(np.uint8)


_SHADES = _shades()
