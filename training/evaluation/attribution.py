"""Where a network looked: Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391).

The gradient of the chosen class's logit, averaged over positions, weighs the channels of a late feature map; what is
positive of their sum is the map. The feature map is that of timm's `forward_features` where it has positions (ResNet,
EfficientNet, TinyViT, ConvNeXt, Swin). Where it is a list of tokens (ViT, DeiT, Mixer), it is the normalised input of the
last block: behind that block a class token no longer depends on the others. Networks of neither kind have no map here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.errors import AttributionError


class GradCam:
    """Grad-CAM of one network in evaluation mode; `layer` says in words where it is taken."""

    def __init__(self, network: nn.Module, pixels: Tensor) -> None:
        """Find the feature map by trying one photo.

        Args:
            network: from float32 [N, 3, H, W] to logits [N, C].
            pixels: float32 [1, 3, H, W], normalised.

        Raises:
            AttributionError: the network has no feature map with positions; the text says why.
        """
        self._network = network
        if not hasattr(network, "forward_features"):
            raise AttributionError("it has no forward_features, as timm's networks have")
        with torch.inference_mode():
            features = network.forward_features(pixels)  # type: ignore[operator]
        if not isinstance(features, Tensor) or features.dim() not in (3, 4):
            raise AttributionError("its last features are neither a map nor a list of tokens")
        channels = getattr(network, "num_features", None)
        self._prefix, self._last = 0, features.shape[-1] == channels != features.shape[1]
        if features.dim() == 4:
            if min(features.shape[1:3] if self._last else features.shape[2:]) < 2:
                raise AttributionError("its last feature map is a single position")
            self._module: nn.Module | None = None
            self.layer = "last feature map"
            return
        try:
            self._module = network.get_submodule(f"blocks.{len(network.get_submodule('blocks')) - 1}.norm1")  # type: ignore[arg-type]
        except AttributeError as error:
            raise AttributionError("its features are tokens, and its last block has no norm1") from error
        self._last, self.layer = True, "input of the last block"
        with torch.inference_mode():
            kept: list[Tensor] = []
            self._from_tokens(pixels, kept)
        height, width = pixels.shape[-2:]
        for self._prefix in (int(getattr(network, "num_prefix_tokens", 0)), 0):
            tokens = kept[0].shape[1] - self._prefix
            rows = math.isqrt(tokens * height // width)
            if rows > 1 and rows * (tokens // rows) == tokens and rows * width == tokens // rows * height:
                self._grid = rows, tokens // rows
                return
        raise AttributionError(f"its {kept[0].shape[1]} tokens do not lie on a grid")

    def __call__(self, pixels: Tensor, label: int) -> NDArray[np.float32]:
        """The map of one class.

        Args:
            pixels: float32 [1, 3, H, W], normalised.
            label: the class whose logit is explained.

        Returns:
            float32 [h, w] at the feature map's own size, 0-1; all zero where nothing spoke for the class.
        """
        kept: list[Tensor] = []
        with torch.enable_grad():
            if self._module is None:
                with torch.no_grad():
                    features = self._network.forward_features(pixels)  # type: ignore[operator]
                kept.append(features.requires_grad_())
                logits = self._network.forward_head(features)  # type: ignore[operator]
            else:
                logits = self._from_tokens(pixels, kept)
            (gradient,) = torch.autograd.grad(logits[0, label], kept[0])
        features, gradient = self._positions(kept[0].detach()), self._positions(gradient)
        found = (features * gradient.mean((1, 2), keepdim=True)).sum(0).relu()
        return np.asarray((found / found.max().clamp_min(1e-12)).float().cpu().numpy(), np.float32)

    def _from_tokens(self, pixels: Tensor, kept: list[Tensor]) -> Tensor:
        def keep(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:  # noqa: ARG001
            kept.append(output.detach().requires_grad_(torch.is_grad_enabled()))
            return kept[0]

        assert self._module is not None
        handle = self._module.register_forward_hook(keep)
        try:
            logits: Tensor = self._network(pixels)
        finally:
            handle.remove()
        return logits

    def _positions(self, tensor: Tensor) -> Tensor:
        """[1, ...] features or gradients to [channels, h, w]."""
        if tensor.dim() == 3:
            return tensor[0, self._prefix :].T.reshape(-1, *self._grid)
        return tensor[0].permute(2, 0, 1) if self._last else tensor[0]
