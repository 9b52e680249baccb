"""Decode a photo once, then resize, crop and normalise it for every member of the ensemble.

One definition for both machines: Triton's DALI backend serialises it with its defaults (decoding on the GPU), the CPU
stand-in calls it with `device="cpu"`. The views, in the order of the step's outputs, lie beside it in
`preprocessing.json`. Geometry follows timm's evaluation transform to the pixel (timm/data/transforms_factory.py).
"""

import json
from pathlib import Path

from nvidia.dali import fn, pipeline_def, types
from nvidia.dali.plugin.triton import autoserialize

VIEWS = json.loads(Path(__file__).with_name("preprocessing.json").read_text())
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
    shape = fn.peek_image_shape(encoded)  # [height, width, channels] after EXIF orientation
    return tuple(view_of(photo, shape[0], shape[1], view) for view in VIEWS)


def view_of(photo, height, width, view):
    """One member's view of the photo: only what the crop keeps is resized, with the crop's own pixel grid."""
    scaled_height, scaled_width = scaled_size(height, width, view)
    top, left = crop_start(scaled_height, view["height"]), crop_start(scaled_width, view["width"])
    zoom = fn.stack(as_float(height) / as_float(scaled_height), as_float(width) / as_float(scaled_width))
    cropped = fn.resize(
        photo,
        size=[view["height"], view["width"]],
        roi_start=fn.stack(as_float(top), as_float(left)) * zoom,
        roi_end=fn.stack(as_float(top + view["height"]), as_float(left + view["width"])) * zoom,
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


def as_float(node):
    """An integer node as float32."""
    return fn.cast(node, dtype=types.FLOAT)


def scaled_size(height, width, view):
    """Size before the crop: both sides stretched (`squash`), or the shorter one scaled and the ratio kept (`center`)."""
    target_height, target_width = int(view["height"] / view["crop_pct"]), int(view["width"] / view["crop_pct"])
    if view["crop_mode"] == "squash":
        return 0 * height + target_height, 0 * width + target_width
    shorter = dali_min(height, width)
    return height * target_height // shorter, width * target_height // shorter


def dali_min(a, b):
    """The smaller of two integer nodes."""
    return fn.reductions.min(fn.stack(a, b))


def crop_start(length, cropped):
    """First pixel of a centred crop: half the margin, a half rounded to even as Python's round() does."""
    margin = length - cropped
    half = margin // 2
    return half + (margin - 2 * half) * (half - 2 * (half // 2))
