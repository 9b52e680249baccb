"""Reads trained-model folders (contract 1 in docs/architecture.md)."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export import networks
from export.errors import MemberError, MembersDisagreeError
from export.predictions import Predictions, read_predictions

STEP_NAME = re.compile(r"[a-z][a-z0-9_]*")
RESERVED = re.compile(r"preprocess.*|average.*|leaf_ensemble.*")
MAX_MEMBERS = 5
CROP_MODES = ("center", "squash")
INTERPOLATIONS = ("bicubic", "bilinear", "lanczos", "nearest")


@dataclass(frozen=True)
class View:
    """How a member sees a photo: timm's evaluation transform, in numbers."""

    height: int
    width: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str
    crop_pct: float
    crop_mode: str

    @classmethod
    def from_pretrained_cfg(cls, cfg: dict[str, Any], owner: str) -> "View":
        """Read a timm `pretrained_cfg`.

        Raises:
            MemberError: a crop mode, interpolation, shape or channel count that serving does not reproduce, or no view.
        """
        try:
            channels, height, width = cfg["input_size"]
            view = cls(
                height=height,
                width=width,
                mean=tuple(cfg["mean"]),
                std=tuple(cfg["std"]),
                interpolation=cfg.get("interpolation", "bicubic"),
                crop_pct=cfg.get("crop_pct") or 1.0,
                crop_mode=cfg.get("crop_mode") or "center",
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise MemberError(
                f"{owner}: its pretrained_cfg is not timm's ({error!r}): train the member again."
            ) from error
        if channels != 3:
            raise MemberError(f"{owner}: takes {channels} channels; photos have 3: train with input_size (3, H, W).")
        if height != width and view.crop_mode == "center":
            raise MemberError(f"{owner}: a {height}x{width} input needs crop_mode 'squash' in its pretrained_cfg.")
        if view.crop_mode not in CROP_MODES:
            raise MemberError(
                f"{owner}: crop_mode {view.crop_mode!r} cannot be served; use one of {', '.join(CROP_MODES)}."
            )
        if view.interpolation not in INTERPOLATIONS:
            raise MemberError(
                f"{owner}: interpolation {view.interpolation!r} cannot be served; use one of {', '.join(INTERPOLATIONS)}."
            )
        return view


@dataclass(frozen=True)
class Member:
    """One trained network; its folder's name becomes the Triton step's name."""

    name: str
    folder: Path
    architecture: str
    view: View
    classes: dict[str, Any]
    """`classes.json`: task, crop, languages, classes with names, advice and source."""
    outputs: networks.Outputs
    """What its network gives besides probabilities."""
    validation: Predictions | None
    test: Predictions | None
    out_of_fold: Predictions | None = None
    """`oof.npz`: each photo answered by a network of the same recipe that never saw it, none of them test photos."""

    @property
    def class_count(self) -> int:
        """Number of classes."""
        return len(self.classes["classes"])

    @property
    def pixels(self) -> str:
        """Name of the tensor that this member reads."""
        return f"pixels_{self.name}"

    @property
    def probabilities(self) -> str:
        """Name of the tensor that this member writes."""
        return f"probabilities_{self.name}"

    @property
    def statistics(self) -> str:
        """Name of the tensor with statistics of its inner feature maps, which the averaging step scores."""
        return f"statistics_{self.name}"

    @property
    def activation_map(self) -> str:
        """Name of the tensor with its class activation maps; written where `outputs.map_size` is given."""
        return f"activation_map_{self.name}"

    @property
    def answer(self) -> str:
        """Name under which the averaging step hands this member's probabilities out."""
        return f"answer_{self.name}"


def read_member(folder: Path) -> Member:
    """Read one trained-model folder; weights stay on disk.

    Raises:
        MemberError: names what is missing or wrong and what to do.
    """
    if not STEP_NAME.fullmatch(folder.name):
        raise MemberError(f"{folder}: the folder's name becomes a Triton step; rename it to lower_snake_case.")
    if RESERVED.fullmatch(folder.name):
        raise MemberError(f"{folder}: a step of that name belongs to the ensemble itself; rename the folder.")
    config = read_json(folder / "config.json")
    if not all(config.get(key) for key in ("architecture", "num_classes", "pretrained_cfg")):
        raise MemberError(
            f"{folder / 'config.json'} is not timm's: write the folder again with `python -m training fit`."
        )
    classes = read_json(folder / "classes.json")
    if not (folder / "model.safetensors").is_file():
        raise MemberError(
            f"{folder / 'model.safetensors'} is missing: train the member again, or copy the whole folder."
        )
    if config.get("num_classes") != len(classes.get("classes", [])):
        raise MemberError(
            f"{folder}: config.json says {config.get('num_classes')} classes, classes.json lists "
            f"{len(classes.get('classes', []))}: they must come from the same training run."
        )
    view = View.from_pretrained_cfg(config["pretrained_cfg"], str(folder))
    try:
        outputs = networks.describe(f"local-dir:{folder}", view.height, view.width, config["num_classes"])
    except MemberError as error:
        raise MemberError(f"{folder}: timm cannot load {config['architecture']}: {error}") from error
    stored = {
        part: read_predictions(folder / file, config["num_classes"])
        for part, file in (("validation", "validation.npz"), ("test", "test.npz"), ("out_of_fold", "oof.npz"))
    }
    _check_unseen(folder, stored["out_of_fold"], stored["test"])
    return Member(
        name=folder.name,
        folder=folder,
        architecture=config["architecture"],
        view=view,
        classes=classes,
        outputs=outputs,
        **stored,
    )


def _check_unseen(folder: Path, out_of_fold: Predictions | None, test: Predictions | None) -> None:
    """Raises MemberError where a photo would be fitted on and reported on."""
    if out_of_fold is None or test is None:
        return
    both = set(out_of_fold.image_ids) & set(test.image_ids)
    if both:
        raise MemberError(
            f"{folder / 'oof.npz'} holds {len(both)} photos of test.npz, such as {min(both)}: what thresholds are fitted on "
            "must not judge them. Cross-validate with the member's own split, or remove the file."
        )


def check_together(members: list[Member]) -> None:
    """Refuse members that cannot be averaged.

    Raises:
        MembersDisagreeError: other classes, evaluated on another split, or cross-validated on other photos.
    """
    first = members[0]
    names = [member.name for member in members]
    if len(members) > MAX_MEMBERS:
        raise MembersDisagreeError(f"{len(members)} members are given; an ensemble takes one to {MAX_MEMBERS}.")
    if len(set(names)) != len(names):
        raise MembersDisagreeError(f"Two members share a name ({', '.join(names)}): rename one folder.")
    for other in members[1:]:
        if [c["key"] for c in other.classes["classes"]] != [c["key"] for c in first.classes["classes"]]:
            raise MembersDisagreeError(
                f"{other.name} and {first.name} differ in classes or their order: train both on one task."
            )
        for part in ("validation", "test"):
            mine, theirs = getattr(first, part), getattr(other, part)
            if (mine is None) != (theirs is None):
                raise MembersDisagreeError(
                    f"Only one of {first.name} and {other.name} has {part}.npz: evaluate both on the same photos."
                )
            if mine is not None and not mine.same_photos(theirs):
                raise MembersDisagreeError(
                    f"{other.name} and {first.name} were split differently, so what one calls unseen the other may have "
                    "trained on: train both with the same data and split seed."
                )
        _check_out_of_fold(first, other)


def _check_out_of_fold(first: Member, other: Member) -> None:
    """Folds may differ from member to member, photos and labels may not."""
    mine, theirs = first.out_of_fold, other.out_of_fold
    if (mine is None) != (theirs is None):
        raise MembersDisagreeError(
            f"Only one of {first.name} and {other.name} has oof.npz: cross-validate both (`python -m training folds --members`), "
            "or remove it, so that thresholds are fitted on validation photos."
        )
    if mine is not None and theirs is not None and not mine.same_labels(theirs):
        raise MembersDisagreeError(
            f"oof.npz of {other.name} and of {first.name} are about other photos or labels: cross-validate both on the same data."
        )


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object from a file; raises MemberError where there is none."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError:
        raise MemberError(
            f"{file} is missing: {file.parent} is not a trained-model folder (see docs/architecture.md)."
        ) from None
    except ValueError as error:
        raise MemberError(
            f"{file} is not JSON ({error}): write the folder again with `python -m training fit`."
        ) from None
    if not isinstance(content, dict):
        raise MemberError(f"{file} must hold a JSON object.")
    return content
