"""Decode a photo once, then resize, crop and normalise it for every member of the ensemble.

One definition for both machines: Triton's DALI backend serialises it with its defaults (decoding on the GPU), the CPU
stand-in calls it with `device="cpu"`. The views, in the order of the step's outputs, lie beside it in
`preprocessing.json`. Geometry follows timm's evaluation transform to the pixel (timm/data/transforms_factory.py).
"""

import json
from pathlib import Path

import numpy as np
from nvidia.dali import fn, pipeline_def, types
from nvidia.dali.plugin.triton import autoserialize

VIEWS = json.loads(Path(__file__).with_name("preprocessing.json").read_text())
SIDES = ("height", "width")
INTERPOLATION = {
    "bilinear": types.INTERP_TRIANGULAR,
    "bicubic": types.INTERP_CUBIC,
    "lanczos": types.INTERP_LANCZOS3,
    "nearest": types.INTERP_NN,
}


@autoserialize
@pipeline_def(batch_size=16, num_threads=4, device_id=0)
def preprocess(device="mixed"):
    """uint8 [bytes] image file in; per view a float32 [3, height, width] tensor out."""
    encoded = fn.external_source(device="cpu", name="encoded_image", dtype=types.UINT8, ndim=1)
    # the chroma upsampling of libjpeg-turbo, which PIL uses in training
    photo = fn.decoders.image(encoded, device=device, output_type=types.RGB, jpeg_fancy_upsampling=True)
    first, last = crops(fn.peek_image_shape(encoded)[:2])  # [height, width] after EXIF orientation
    return tuple(view_of(photo, first[number], last[number], view) for number, view in enumerate(VIEWS))


def crops(shape):
    """Where each view begins and ends in the photo: float32 [views, 2] each, in pixels of [height, width].

    All views and both sides in one tensor: many small operations cost as much as a resize.
    """
    sizes = constant([[view[side] for side in SIDES] for view in VIEWS])
    targets = constant([[int(view[side] / view["crop_pct"]) for side in SIDES] for view in VIEWS])
    stretched = constant([[view["crop_mode"] == "squash"] * len(SIDES) for view in VIEWS])
    # before the crop: both sides stretched (`squash`), or the shorter one scaled and the ratio kept (`center`)
    scaled = stretched * targets + (1 - stretched) * (shape * targets // fn.reductions.min(shape))
    # first pixel of a centred crop: half the margin, a half rounded to even as Python's round() does
    margin = scaled - sizes
    half = margin // 2
    start = half + (margin - 2 * half) * (half - 2 * (half // 2))
    zoom = shape / scaled
    return start * zoom, (start + sizes) * zoom


def constant(rows):
    """An int32 [views, 2] node."""
    return types.Constant(np.array(rows, np.int32))


def view_of(photo, first, last, view):
    """One member's view of the photo: only what the crop keeps is resized, with the crop's own pixel grid."""
    cropped = fn.resize(
        photo,
        size=[view["height"], view["width"]],
        roi_start=first,
        roi_end=last,
        interp_type=INTERPOLATION[view["interpolation"]],
        antialias=True,
    )
    return fn.crop_mirror_normalize(
        cropped,
        dtype=types.FLOAT,
        output_layout="CHW",
        mean=[255 * value for value in view["mean"]],
        std=[255 * value for value in view["std"]],
    )
