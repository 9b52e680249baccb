"""Class activation maps: where in the photo a class's logit comes from, without gradients.

Where a head averages the last feature map over its positions and ends in a linear layer, a logit is the mean over
positions of the layer's weights times the features there, plus a constant (Zhou et al. 2016, arXiv:1512.04150). A layer
norm between the two (ConvNeXt, TinyViT) is linear too once the photo's own mean and variance are known, so the map still
adds up to the logit. A class token attends to all positions at once: such a head has no map that adds up, and gets none.
"""

import torch
from torch import nn
from torch.nn import functional

TOLERANCE = 1e-3
"""Of what a map fails to explain of a logit, relative to how far logits spread."""


class ActivationMap(nn.Module):
    """Last feature map to one map per class, in logit units.

    Args:
        linear: the classifier; [classes, features] weights.
        norm: layer norm between pooling and classifier, None where there is none.
        channels_last: whether features come as [batch, height, width, features].
    """

    def __init__(self, linear: nn.Linear, norm: nn.LayerNorm | None, channels_last: bool) -> None:
        super().__init__()
        self.linear, self.norm, self.channels_last = linear, norm, channels_last

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """float32 [batch, classes, height, width]: its mean over positions is the logit but for a constant per class."""
        if self.channels_last:
            features = features.permute(0, 3, 1, 2)
        features = features.float()
        if self.norm is not None:
            variance = features.mean((2, 3), keepdim=True).var(1, keepdim=True, unbiased=False)
            features = (features - features.mean(1, keepdim=True)) * torch.rsqrt(variance + self.norm.eps)
            features = features * self.norm.weight[:, None, None]
        return functional.conv2d(features, self.linear.weight[:, :, None, None])


def find(network: nn.Module, shape: tuple[int, ...]) -> ActivationMap | None:
    """The map that explains a timm network's head; None where none adds up to the logits.

    Args:
        network: on the CPU, with any weights in its head.
        shape: of `forward_features`, batch axis included.
    """
    linear = network.get_classifier()  # type: ignore[operator]
    if len(shape) != 4 or not isinstance(linear, nn.Linear) or linear.in_features not in (shape[1], shape[3]):
        return None
    channels_last = shape[1] != linear.in_features
    head = getattr(network, "head", None)
    places = [head if isinstance(head, nn.Module) else None, getattr(network, "fc_norm", None)]
    norms = [m for place in places if place is not None for m in place.modules() if isinstance(m, nn.LayerNorm)]
    for norm in (None, *norms):
        if norm is not None and norm.normalized_shape != (linear.in_features,):
            continue
        candidate = ActivationMap(linear, norm, channels_last)
        if unexplained(network, candidate, shape) < TOLERANCE:
            return candidate
    return None


def unexplained(network: nn.Module, candidate: ActivationMap, shape: tuple[int, ...]) -> float:
    """How far logits of random features are from the map's mean plus a constant, relative to their spread."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn((8, *shape[1:]), generator=generator).abs()
    features = features * torch.rand((8, 1, 1, 1), generator=generator) * 2
    with torch.inference_mode():
        logits = network.forward_head(features)  # type: ignore[operator]
        rest = logits - candidate(features).mean((2, 3))
    return float((rest - rest.mean(0)).abs().max() / logits.std(0).max().clamp_min(1e-12))
