"""Grad-CAM where its answer is known, on every kind of network, and what it says where there is no map."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn

import architectures  # noqa: F401  # registers small_cnn
from training.errors import AttributionError
from training.evaluation.attribution import GradCam

TINY_VIT: dict[str, Any] = {"embed_dims": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "num_heads": [1, 1, 1, 1]}
SWIN: dict[str, Any] = {
    "embed_dim": 8,
    "depths": (1, 1, 1, 1),
    "num_heads": (1, 1, 1, 1),
    "img_size": 128,
    "window_size": 4,
}


def test_behind_average_pooling_it_is_the_class_activation_map() -> None:
    torch.manual_seed(0)
    network = timm.create_model("test_resnet", num_classes=3).eval()
    pixels = torch.randn(1, 3, 96, 96)
    with torch.inference_mode():
        features = network.forward_features(pixels)[0]
        expected = torch.einsum("c,chw->hw", network.get_classifier().weight[2], features).relu()
    np.testing.assert_allclose(GradCam(network, pixels)(pixels, 2), expected / expected.max(), atol=1e-5)


@pytest.mark.parametrize(
    ("architecture", "arguments", "size"),
    [
        ("test_resnet", {}, 64),
        ("test_efficientnet", {}, 64),
        ("test_vit", {"img_size": 64}, 64),
        ("test_vit", {"img_size": 64, "global_pool": "avg", "class_token": False}, 64),
        ("tiny_vit_5m_224", TINY_VIT, 128),
        ("swin_tiny_patch4_window7_224", SWIN, 128),
        ("small_cnn", {}, 64),
    ],
    ids=["resnet", "efficientnet", "vit", "vit without class token", "tiny_vit", "swin", "own"],
)
def test_every_kind_of_network_has_a_map(architecture: str, arguments: dict[str, Any], size: int) -> None:
    torch.manual_seed(1)
    network = timm.create_model(architecture, num_classes=3, **arguments).eval()
    pixels = torch.randn(1, 3, size, size)
    grad_cam = GradCam(network, pixels)
    maps = [grad_cam(pixels, label) for label in range(3)]
    assert all(found.ndim == 2 and min(found.shape) > 1 and found.min() >= 0 for found in maps)
    assert max(found.max() for found in maps) == pytest.approx(1)
    assert not np.array_equal(maps[0], maps[1])  # each class has its own
    assert all(parameter.grad is None for parameter in network.parameters())


def test_tokens_lie_where_their_patches_do() -> None:
    torch.manual_seed(0)
    network = timm.create_model("test_vit", num_classes=2, img_size=64).eval()
    pixels = torch.zeros(1, 3, 64, 64)
    pixels[..., :16, 48:] = 4 * torch.randn(3, 16, 16)  # only the upper right patch differs from the others
    grad_cam = GradCam(network, pixels)
    maps = np.stack([grad_cam(pixels, label) for label in range(2)])
    odd = maps[:, 0, -1]
    others = np.delete(maps.reshape(2, -1), 3, axis=1)
    assert (np.abs(odd[:, None] - others).min(axis=1) > others.std(axis=1)).any()


class Flat(nn.Module):
    """A network that forgets where things were."""

    num_features = 3

    def forward_features(self, pixels: Tensor) -> Tensor:
        return pixels.mean((2, 3))

    def forward(self, pixels: Tensor) -> Tensor:
        return self.forward_features(pixels)


class Tokens(nn.Module):
    """A network of seven tokens, which fill no rectangle of square patches; without blocks unless given."""

    def __init__(self, blocks: nn.Module | None = None) -> None:
        super().__init__()
        if blocks is not None:
            self.blocks = nn.ModuleList([blocks])

    def forward_features(self, pixels: Tensor) -> Tensor:
        tokens = pixels.flatten(2)[..., :7].transpose(1, 2)
        return self.blocks[0].norm1(tokens) if hasattr(self, "blocks") else tokens  # type: ignore[operator,union-attr]

    def forward(self, pixels: Tensor) -> Tensor:
        return self.forward_features(pixels).mean(1)


class Block(nn.Module):
    """As in a transformer, with nothing behind its norm."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(3)


@pytest.mark.parametrize(
    ("network", "says"),
    [
        (nn.Identity(), "forward_features"),
        (Flat(), "neither a map"),
        (Tokens(), "no norm1"),
        (Tokens(Block()), "7 tokens"),
    ],
)
def test_networks_without_positions_are_told_plainly(network: nn.Module, says: str) -> None:
    with pytest.raises(AttributionError, match=says):
        GradCam(network, torch.zeros(1, 3, 32, 32))


def test_single_position_is_no_map() -> None:
    with pytest.raises(AttributionError, match="single position"):
        GradCam(timm.create_model("test_resnet", num_classes=2).eval(), torch.zeros(1, 3, 16, 16))
