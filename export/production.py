"""The production pair as members without weights: what their configurations depend on, from timm's own tables."""

from pathlib import Path

from timm.models import get_pretrained_cfg

from export.errors import MemberError
from export.members import Member, View, read_json
from export.networks import describe

PRODUCTION_PAIR = {"efficientnet_b4": "tf_efficientnet_b4", "vit_base_384": "vit_base_patch16_384"}
"""Step name to timm architecture."""


def production_members(classes_file: Path) -> list[Member]:
    """EfficientNet-B4 at 380 px and ViT-Base/16 at 384 px for the classes of a task; there is no folder behind them.

    Raises:
        MemberError: timm no longer knows the architecture.
    """
    classes = read_json(classes_file)
    members = []
    for name, architecture in PRODUCTION_PAIR.items():
        cfg = get_pretrained_cfg(architecture)
        if cfg is None:
            raise MemberError(
                f"timm does not know {architecture}: install the locked version (requirements/export.txt)."
            )
        view = View.from_pretrained_cfg(cfg.to_dict(), architecture)
        outputs = describe(architecture, view.height, view.width, len(classes["classes"]))
        members.append(Member(name, Path(name), architecture, view, classes, outputs, None, None))
    return members
