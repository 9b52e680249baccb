"""ResNet-50 with a head that has a hidden layer: global pooling, batch norm, dense layer, dropout, classes."""

from __future__ import annotations

from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.resnet import Bottleneck, ResNet
from torch import nn

default_cfgs = generate_default_cfgs(
    {
        # The backbone's weights; the head's are always new.
        "resnet50_dense.a1_in1k": {
            "hf_hub_id": "timm/resnet50.a1_in1k",
            "num_classes": 1000,
            "input_size": (3, 224, 224),
            "pool_size": (7, 7),
            "crop_pct": 0.875,
            "interpolation": "bicubic",
            "mean": (0.485, 0.456, 0.406),
            "std": (0.229, 0.224, 0.225),
            "first_conv": "conv1",
            "classifier": "fc",
        }
    }
)


class DenseHeadResNet(ResNet):
    """timm's ResNet (He et al. 2016) whose `fc` is batch norm, dense layer, ReLU, dropout and the classes' layer.

    Args:
        hidden: width of the dense layer.
        drop_rate: dropout after the dense layer, 0-1.
        options: timm's own for ResNet.
    """

    def __init__(self, *, hidden: int = 256, drop_rate: float = 0.4, num_classes: int = 1000, **options: Any) -> None:
        super().__init__(num_classes=num_classes, **options)
        self._hidden, self._dropout = hidden, drop_rate
        self.fc = self._head(num_classes)

    def _head(self, num_classes: int) -> nn.Module:
        if not num_classes:
            return nn.Identity()
        width = self.num_features * self.global_pool.feat_mult()
        return nn.Sequential(
            nn.BatchNorm1d(width),
            nn.Linear(width, self._hidden),
            nn.ReLU(),
            nn.Dropout(self._dropout),
            nn.Linear(self._hidden, num_classes),
        )

    def reset_classifier(self, num_classes: int, global_pool: str | None = "avg") -> None:
        """Give the network a new head."""
        super().reset_classifier(num_classes, global_pool)
        self.fc = self._head(num_classes)


@register_model
def resnet50_dense(pretrained: bool = False, **options: Any) -> nn.Module:
    """ResNet-50 with batch norm, a dense layer of 256 and dropout 0.4 before the classes."""
    shape: dict[str, Any] = {"block": Bottleneck, "layers": (3, 4, 6, 3)}
    network: nn.Module = build_model_with_cfg(DenseHeadResNet, "resnet50_dense", pretrained, **shape | options)
    return network
