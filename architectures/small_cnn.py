"""Two convolutional networks from scratch for small pictures: 32-64-128 channels, global pooling, one dense layer."""

from __future__ import annotations

from typing import Any

import torch
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn

WIDTHS = (32, 64, 128)

default_cfgs = generate_default_cfgs(
    {
        f"{name}.untrained": {
            "input_size": (3, 64, 64),
            "num_classes": 1000,
            "mean": (0.5, 0.5, 0.5),
            "std": (0.5, 0.5, 0.5),
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "pool_size": None,
            "first_conv": "blocks.0.0",
            "classifier": "classifier",
        }
        for name in ("small_cnn", "small_cnn_norm")
    }
)


class SmallCnn(nn.Module):
    """Three 3x3 convolutions, each followed by a 2x2 maximum and ReLU, then global average pooling and a dense layer.

    Maps float32 [N, in_chans, H, W], H and W at least 8 pixels, to logits [N, num_classes].

    Args:
        num_classes: classes; 0 leaves the last layer out.
        in_chans: channels of the picture.
        hidden: width of the dense layer.
        batch_norm: normalise after each convolution, which then has no bias.
        drop_rate: dropout before the last layer, 0-1.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_chans: int = 3,
        hidden: int = 128,
        batch_norm: bool = False,
        drop_rate: float = 0.0,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.num_features = WIDTHS[-1]
        self.head_hidden_size = hidden
        blocks, before = [], in_chans
        for width in WIDTHS:
            norm = [nn.BatchNorm2d(width)] if batch_norm else []
            blocks.append(
                nn.Sequential(
                    nn.Conv2d(before, width, 3, padding=1, bias=not batch_norm), *norm, nn.MaxPool2d(2), nn.ReLU()
                )
            )
            before = width
        self.blocks = nn.Sequential(*blocks)
        self.feature_info = [
            {"num_chs": width, "reduction": 2 ** (index + 1), "module": f"blocks.{index}"}
            for index, width in enumerate(WIDTHS)
        ]
        self.dense = nn.Linear(WIDTHS[-1], hidden)
        self.drop = nn.Dropout(drop_rate)
        self.classifier = nn.Linear(hidden, num_classes) if num_classes else nn.Identity()
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")  # He et al. 2015

    def group_matcher(self, coarse: bool = False) -> dict[str, str]:  # noqa: ARG002
        """timm's layers in order: the blocks, then the rest."""
        return {"blocks": r"^blocks\.(\d+)"}

    def get_classifier(self) -> nn.Module:
        """The last layer."""
        return self.classifier

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:  # noqa: ARG002
        """Give the last layer another number of classes, with new weights."""
        self.num_classes = num_classes
        self.classifier = nn.Linear(self.head_hidden_size, num_classes) if num_classes else nn.Identity()

    def forward_features(self, x: Tensor) -> Tensor:
        """Feature map [N, 128, H / 8, W / 8]."""
        features: Tensor = self.blocks(x)
        return features

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits [N, num_classes] of a feature map, or the dense layer's output [N, hidden]."""
        x = self.drop(torch.relu(self.dense(x.mean(dim=(2, 3)))))
        return x if pre_logits else self.classifier(x)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, num_classes]."""
        return self.forward_head(self.forward_features(x))


def _create(name: str, pretrained: bool, **options: Any) -> nn.Module:
    network: nn.Module = build_model_with_cfg(SmallCnn, name, pretrained, **options)
    return network


@register_model
def small_cnn(pretrained: bool = False, **options: Any) -> nn.Module:
    """Convolutions of 32, 64 and 128 channels, dense layer of 128: 110,405 parameters at five classes."""
    return _create("small_cnn", pretrained, **options)


@register_model
def small_cnn_norm(pretrained: bool = False, **options: Any) -> nn.Module:
    """`small_cnn` with batch norm, a dense layer of 256 and dropout 0.5."""
    return _create("small_cnn_norm", pretrained, **{"hidden": 256, "batch_norm": True, "drop_rate": 0.5} | options)
