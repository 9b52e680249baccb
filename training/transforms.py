"""timm's own transform for evaluation, which serving has to reproduce."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from PIL import Image
from timm.data.config import resolve_data_config, resolve_model_data_config
from timm.data.transforms_factory import create_transform
from torch import nn


def evaluation_transform(model_or_cfg: nn.Module | Mapping[str, Any]) -> Callable[[Image.Image], torch.Tensor]:
    """Build the transform that a trained model was evaluated with, from nothing but the model or its `pretrained_cfg`.

    Returns:
        A function from an RGB photo to float32 [3, H, W], normalised. Serving has to reproduce it.
    """
    if isinstance(model_or_cfg, nn.Module):
        resolved = resolve_model_data_config(model_or_cfg)
    else:
        resolved = resolve_data_config(pretrained_cfg=dict(model_or_cfg))
    transform: Callable[[Image.Image], torch.Tensor] = create_transform(**resolved, is_training=False)
    return transform
