"""What a timm network tells besides its logits, and the module that export converts.

Statistics of inner feature maps say how a photo looks to the network (its textures and colours, channel by channel);
the averaging step turns them into the outlier score.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import timm
import torch
from torch import nn

import architectures  # noqa: F401  # registers the networks of our own with timm
from export import activation_map
from export.activation_map import ActivationMap
from export.errors import MemberError

STAGES = 3
"""Inner feature maps of a network in stages that statistics are taken of, the ones before its last: that one keeps what
parts the classes and little else. With it the demo's score missed twice as many pictures of other things or more."""
BLOCKS = 4
"""As many of a transformer, spread evenly over its blocks."""
FEW_STAGES = 6


@dataclass(frozen=True)
class Outputs:
    """What a member's network gives besides probabilities."""

    statistics: int
    """Length of its statistics: a mean and a deviation per channel of each inner feature map."""
    map_size: tuple[int, int] | None
    """Height and width of its class activation maps; None where its head has none that adds up."""


class Classifier(nn.Module):
    """A timm network with softmax after a temperature, statistics of inner feature maps, and activation maps."""

    def __init__(self, network: nn.Module, maps: ActivationMap | None, temperature: float = 1.0) -> None:
        super().__init__()
        self.network, self.maps, self.temperature = network, maps, temperature
        self.stages = stages(network)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Normalised pixels to what a member's step answers, all float32.

        Args:
            pixels: [batch, 3, height, width].

        Returns:
            Probabilities [batch, classes]; statistics [batch, 2 x channels], first all means, then all deviations;
            activation maps [batch, classes, h, w] where the head has them.
        """
        if self.stages:
            features, inner = self.network.forward_intermediates(pixels, indices=self.stages)  # type: ignore[operator]
        else:
            features = self.network.forward_features(pixels)  # type: ignore[operator]
            inner = [features]
        logits = self.network.forward_head(features)  # type: ignore[operator]
        answers = [torch.softmax(logits.float() / self.temperature, dim=1), statistics(inner)]
        if self.maps is not None:
            answers.append(self.maps(features))
        return tuple(answers)


def stages(network: nn.Module) -> list[int]:
    """Indices of the inner feature maps to take statistics of; empty where timm does not give them out."""
    count = len(getattr(network, "feature_info", []))
    if not hasattr(network, "forward_intermediates") or not count:
        return []
    if count <= FEW_STAGES:
        return list(range(max(0, count - 1 - STAGES), max(1, count - 1)))
    return [round((i + 1) * count / BLOCKS) - 1 for i in range(BLOCKS)]


def statistics(inner: list[torch.Tensor]) -> torch.Tensor:
    """Mean and standard deviation over positions, per channel: [batch, 2 x channels]."""
    means, deviations = [], []
    for features in inner:
        # [batch, channels, height, width], or [batch, tokens, channels]
        positions = (2, 3) if features.ndim == 4 else (1,)
        variance, mean = torch.var_mean(features.float(), positions, unbiased=False)
        means.append(mean)
        deviations.append(variance.clamp_min(0).sqrt())
    return torch.cat([*means, *deviations], dim=1)


def describe(name: str, height: int, width: int, class_count: int) -> Outputs:
    """What a network gives besides probabilities; weights are neither read nor needed.

    Args:
        name: timm architecture, or `local-dir:FOLDER`.

    Raises:
        MemberError: timm does not know the architecture, or cannot run it at this size.
    """
    try:
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network: Any = timm.create_model(name, pretrained=False, num_classes=class_count).eval()
            pixels = torch.zeros(1, 3, height, width)
            length = Classifier(network, None)(pixels)[1].shape[1]
            shape = tuple(network.forward_features(pixels).shape)
    except (RuntimeError, ValueError, KeyError, TypeError, AssertionError) as error:
        raise MemberError(f"timm cannot load {name} at {height}x{width} px: {error}") from error
    if not isinstance(network.get_classifier(), nn.Linear):
        return Outputs(length, None)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = network.to_empty(device="cpu")
        for parameter in network.get_classifier().parameters():
            nn.init.normal_(parameter, std=0.1)
        for module in network.modules():
            if isinstance(module, nn.LayerNorm):
                module.reset_parameters()
        found = activation_map.find(network, shape)
    if found is None:
        return Outputs(length, None)
    return Outputs(length, (shape[1], shape[2]) if found.channels_last else (shape[2], shape[3]))
