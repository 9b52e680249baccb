"""Where networks run."""

from __future__ import annotations

import torch

from training.errors import DeviceError


def choose_device(asked: str) -> torch.device:
    """The device for `auto`, `cpu` or `cuda`.

    Raises:
        DeviceError: CUDA was asked for and is not there.
    """
    if asked == "cuda" and not torch.cuda.is_available():
        built = "this PyTorch is built without it" if torch.version.cuda is None else "no GPU or driver is visible"
        raise DeviceError(f"CUDA was asked for, but {built}: give --device cpu, or auto.")
    return torch.device("cpu" if asked == "cpu" or not torch.cuda.is_available() else "cuda")
