"""Fits the outlier score on photos that the members' evaluations name, and says what it refuses.

Fitted on validation photos and on some categories of other pictures at most; reported on test photos and on the other
categories, far ones (cars, people) and near ones (flowers, fruit) apart.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from timm.data.config import resolve_model_data_config
from timm.data.transforms_factory import create_transform

from export import outliers
from export.errors import RefusalError
from export.figures import wilson
from export.members import Member
from export.networks import Classifier
from export.outliers import OutlierModel, Vectors
from export.photos import named_files, photo_files, read_photo, spread, thumbnail

LEAVES, UNSEEN = "validation", "test"
SMALL = " as thumbnails"


@dataclass(frozen=True)
class RefusalOptions:
    """What the outlier score is fitted and measured on."""

    photos: Path | None = None
    """Folder with the photos that `validation.npz` and `test.npz` name; without it nothing is fitted."""
    negatives: Path | None = None
    """Folder of pictures of other things, one folder a category."""
    fitted_on: tuple[str, ...] = ()
    """Categories that take part in the fit; figures are of the others."""
    near: tuple[str, ...] = ()
    """Categories that resemble leaves, reported apart."""
    refused: float = 0.05
    """Share of unseen leaves that may be refused."""
    limit: int = 256
    """Most photos of a part, and most pictures of all categories together."""


@dataclass
class Gathered:
    """Statistics by group of pictures, [pictures, features] each, member after member."""

    members: list[dict[str, Vectors]] = field(default_factory=list)

    def joined(self, group: str) -> Vectors:
        """All members' features of a group side by side."""
        return np.concatenate([of[group] for of in self.members], axis=1)


def groups_of(member: Member, options: RefusalOptions, progress: Callable[[str], None]) -> dict[str, list[Path]]:
    """Files by group: `validation`, `test`, and `other/<category>`; empty where nothing can be fitted, which is said.

    Raises:
        RefusalError: a category that is named is not there, no category is left to report on, or negatives are given
            without the leaves to part them from.
    """
    if options.negatives is None and (options.fitted_on or options.near):
        raise RefusalError("--fit-negatives and --near-negatives name folders of --negatives: say where that is.")
    if options.photos is None or member.validation is None:
        _unused(options, "--photos, and members that were evaluated")
        return {}
    leaves = named_files(options.photos, member.validation.image_ids)
    if len(leaves) < outliers.FEWEST_LEAVES:
        few = f"{len(leaves)} of the {len(member.validation.image_ids)} validation photos lie in {options.photos}"
        progress(f"no outlier score is fitted: {few}, {outliers.FEWEST_LEAVES} are needed")
        _unused(options, f"{outliers.FEWEST_LEAVES} validation photos in --photos, of which there are {len(leaves)}")
        return {}
    unseen = [] if member.test is None else named_files(options.photos, member.test.image_ids)
    parts = {LEAVES: leaves} | ({UNSEEN: unseen} if unseen else {})
    return {part: spread(files, options.limit) for part, files in parts.items()} | _categories(options)


def _unused(options: RefusalOptions, needed: str) -> None:
    """Raises RefusalError where negatives were named that nothing would be made of."""
    if options.negatives is not None:
        raise RefusalError(f"--negatives says what is no leaf; what is one, say {needed}.")


def _categories(options: RefusalOptions) -> dict[str, list[Path]]:
    if options.negatives is None:
        return {}
    folders = sorted(p for p in options.negatives.iterdir() if p.is_dir())
    names = [folder.name for folder in folders]
    unknown = [name for name in (*options.fitted_on, *options.near) if name not in names]
    if unknown or not folders:
        raise RefusalError(
            f"{options.negatives} has no folder {', '.join(unknown) or 'of pictures'}: it holds {', '.join(names) or 'none'}. "
            "Name its folders in --fit-negatives and --near-negatives."
        )
    if set(options.fitted_on) == set(names):
        raise RefusalError("Every category of --negatives is in --fit-negatives: leave some out, to be measured on.")
    each = max(1, options.limit // len(folders))
    return {f"other/{folder.name}": spread(photo_files(folder), each) for folder in folders}


def gather(classifier: Classifier, groups: Mapping[str, Sequence[Path]]) -> dict[str, Vectors]:
    """One member's features of every group; leaves also as thumbnails."""
    found = {}
    for group, files in groups.items():
        found[group] = _features(classifier, (read_photo(file) for file in files))
        if group in (LEAVES, UNSEEN):
            small = (thumbnail(read_photo(file), seed) for seed, file in enumerate(files))
            found[group + SMALL] = _features(classifier, small)
    return found


def _features(classifier: Classifier, photos: Iterator[Image.Image]) -> Vectors:
    transform = create_transform(**resolve_model_data_config(classifier.network))
    rows: list[NDArray[np.float32]] = []
    with torch.inference_mode():
        rows += [classifier(transform(photo)[None])[1].numpy() for photo in photos]
    return outliers.features(np.concatenate(rows))


def fit(gathered: Gathered, options: RefusalOptions) -> OutlierModel:
    """The score and its threshold, from validation photos and the categories named for it."""
    leaves, small = gathered.joined(LEAVES), gathered.joined(LEAVES + SMALL)
    photo = np.tile(np.arange(len(leaves)), 2)
    strangers = [gathered.joined(f"other/{name}") for name in options.fitted_on]
    return outliers.fit(
        np.concatenate([leaves, small]), photo, np.concatenate(strangers) if strangers else None, options.refused
    )


def evidence(model: OutlierModel, gathered: Gathered, options: RefusalOptions) -> dict[str, Any]:
    """Shares refused, each with its 95 % interval: unseen leaves, and pictures of categories that were not fitted on."""
    groups = gathered.members[0]
    refused = {group: model.score(gathered.joined(group)) > model.threshold for group in groups}
    others = {g.removeprefix("other/"): hits for g, hits in refused.items() if g.startswith("other/")}
    measured = {name: hits for name, hits in others.items() if name not in options.fitted_on}
    near = {name: hits for name, hits in measured.items() if name in options.near}
    far = {name: hits for name, hits in measured.items() if name not in options.near}
    said: dict[str, Any] = {
        "threshold": model.threshold,
        "fitted_on": {"leaves": len(refused[LEAVES]), "categories": list(options.fitted_on)},
    }
    for key, group in (("leaves", UNSEEN), ("leaves_as_thumbnails", UNSEEN + SMALL)):
        said[key] = _share([refused[group]]) if group in refused else None
    said["others"] = _share(list(measured.values()))
    said["others_far"], said["others_near"] = _share(list(far.values())), _share(list(near.values()))
    strange = [_hits_left_out(name, gathered, options) for name in options.fitted_on if name in options.near]
    said["near_unseen_by_fit"] = _share([*near.values(), *strange])
    said["by_category"] = {name: _share([hits]) for name, hits in measured.items()}
    said["fitted_categories_left_out"] = {
        name: _share([_hits_left_out(name, gathered, options)]) for name in options.fitted_on
    }
    return said


def _hits_left_out(name: str, gathered: Gathered, options: RefusalOptions) -> NDArray[np.bool_]:
    """Which pictures of a category that the score was fitted on are refused by a fit on the rest of them."""
    rest = replace(options, fitted_on=tuple(other for other in options.fitted_on if other != name))
    model = fit(gathered, rest)
    return np.asarray(model.score(gathered.joined(f"other/{name}")) > model.threshold)


def _share(hits: list[NDArray[np.bool_]]) -> dict[str, Any] | None:
    if not hits:
        return None
    together = np.concatenate(hits)
    low, high = wilson(int(together.sum()), len(together))
    return {
        "refused": round(float(together.mean()), 4),
        "interval": [round(low, 4), round(high, 4)],
        "pictures": len(together),
    }
