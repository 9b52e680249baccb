"""One release as the gateway sees it: what its ensemble's configuration says, immutable."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from gateway.languages import ENGLISH

INPUT_NAME = "encoded_image"
OUTPUT_NAME = "probabilities"

_DETAIL = 2
"""A reduced photo keeps this many pixels for each one of the largest view, so that no view has to be enlarged."""

Finite = Annotated[float, Field(allow_inf_nan=False)]
TensorName = Annotated[str, Field(min_length=1)]


class _Part(BaseModel):
    """A piece of the ensemble's parameters; what only others need is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class LeafClass(_Part):
    """One class: its stable key, and by language its display name and what to do, with the source of that advice."""

    key: str
    names: dict[str, str]
    advice: dict[str, str] = {}
    source: str = ""


class View(_Part):
    """What a member sees: its input in pixels, the part of the scaled photo that it is, and how it was cut out.

    `center` scales the shorter side to `height / crop_pct` and cuts the middle out, `squash` scales both sides.
    """

    height: int = Field(gt=0)
    width: int = Field(gt=0)
    crop_pct: float = Field(gt=0, le=1)
    crop_mode: Literal["center", "squash"]

    @property
    def photo_side(self) -> int:
        """Pixels of the whole photo's shorter side from which the view is cut."""
        return math.ceil(max(self.height, self.width) / self.crop_pct)


class Member(_Part):
    """One network of the ensemble and the tensors that carry its probabilities and its class activation maps."""

    name: str
    output: TensorName
    architecture: str = ""
    activation_map: TensorName | None = None
    view: View | None = None


class Outlier(_Part):
    """The tensor that says how strange a photo is, and above which score none of the classes is meant."""

    output: TensorName
    threshold: Finite | None = None


class Thresholds(_Part):
    """The least probability for a class to be in the prediction set; none where the release was not calibrated.

    `coverage` is how often the set should hold the true class.
    """

    prediction_set_probability: Finite | None = None
    coverage: Finite | None = None


class Reference(_Part):
    """What the release answered on its validation photos: what later answers are compared with.

    `class_shares` in class order and `decision_shares` by decision sum to 1 each; `confidence_mean` is of the likeliest class.
    """

    photos: int = Field(gt=0)
    class_shares: list[Annotated[float, Field(ge=0, le=1)]]
    confidence_mean: Annotated[float, Field(ge=0, le=1)]
    decision_shares: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}


class Limits(_Part):
    """What an upload may be: bytes, pixels, shortest side in pixels, longer side over shorter.

    `reduced_side`: pixels that the shorter side keeps at least where the gateway makes a very large photo smaller.
    """

    max_bytes: int = Field(gt=0)
    max_pixels: int = Field(gt=0)
    min_side: int = Field(gt=0)
    max_aspect_ratio: float = Field(ge=1)
    reduced_side: int = Field(default=1024, gt=0)


class _Parameters(_Part):
    release: int
    task: str
    classes: list[LeafClass] = Field(min_length=1)
    languages: list[str]
    members: list[Member] = Field(min_length=1)
    thresholds: Thresholds
    limits: Limits
    crop: dict[str, str] = {}
    weights: list[Annotated[float, Field(ge=0, allow_inf_nan=False)]] = []
    metrics: dict[str, Any] = {}
    outlier: Outlier | None = None
    reference: Reference | None = None


class InvalidReleaseError(ValueError):
    """The ensemble's parameters do not describe a release."""


@dataclass(frozen=True)
class Release:
    """Everything needed to ask one release and to word its answer; one request uses one of these throughout."""

    ensemble: str
    parameters: Mapping[str, str]
    number: int
    task: str
    classes: tuple[LeafClass, ...]
    languages: tuple[str, ...]
    members: tuple[Member, ...]
    thresholds: Thresholds
    limits: Limits
    weights: tuple[float, ...]
    crop: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    outlier: Outlier | None = None
    reference: Reference | None = None

    @cached_property
    def names(self) -> dict[str, tuple[str, ...]]:
        """Class names in class order, by language; where one is missing the English one, then the key."""
        return {
            language: tuple(c.names.get(language) or c.names.get(ENGLISH) or c.key for c in self.classes)
            for language in {*self.languages, ENGLISH}
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What a release says of one image.

    Attributes:
        ensemble: probabilities, FP32 `[classes]`.
        members: the same of each member, in member order.
        outlier_score: larger is stranger; None where the release has no such score.
        activation_maps: by member name, FP32 `[classes, h, w]` in logits; only where asked for.
    """

    ensemble: NDArray[np.float32]
    members: tuple[NDArray[np.float32], ...]
    outlier_score: float | None = None
    activation_maps: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


def read_release(ensemble: str, parameters: Mapping[str, str]) -> Release:
    """The release that an ensemble's configuration describes.

    Args:
        ensemble: model name in Triton, e.g. `leaf_ensemble_7`.
        parameters: its `parameters`, JSON strings by name.

    Raises:
        InvalidReleaseError: a parameter is missing, is not JSON or has the wrong form, two classes share a name, or the
            weights are not one for each member.
    """
    try:
        wanted = {name: json.loads(parameters[name]) for name in _Parameters.model_fields if name in parameters}
        parts = TypeAdapter(_Parameters).validate_python(wanted)
    except ValueError as error:
        raise InvalidReleaseError(f"{ensemble}: {error}") from error
    weights = tuple(parts.weights) or (1.0,) * len(parts.members)
    if len(weights) != len(parts.members) or not sum(weights):
        raise InvalidReleaseError(f"{ensemble}: {len(parts.members)} members, but weights {parts.weights}")
    release = Release(
        ensemble=ensemble,
        parameters=dict(parameters),
        number=parts.release,
        task=parts.task,
        classes=tuple(parts.classes),
        languages=tuple(parts.languages),
        members=tuple(parts.members),
        thresholds=parts.thresholds,
        limits=_with_detail_for(parts.members, parts.limits),
        weights=tuple(weight / sum(weights) for weight in weights),
        crop=parts.crop,
        metrics=parts.metrics,
        outlier=parts.outlier,
        reference=parts.reference,
    )
    if release.reference and len(release.reference.class_shares) != len(release.classes):
        raise InvalidReleaseError(
            f"{ensemble}: {len(release.classes)} classes, but {len(release.reference.class_shares)} reference shares"
        )
    for language, names in release.names.items():
        if len(set(names)) < len(names):
            raise InvalidReleaseError(f"{ensemble}: two classes share a name in language {language!r}")
    return release


def _with_detail_for(members: list[Member], limits: Limits) -> Limits:
    """The limits with the `reduced_side` that follows from the views, where all are known."""
    sides = [member.view.photo_side for member in members if member.view]
    if len(sides) < len(members):
        return limits
    return limits.model_copy(update={"reduced_side": _DETAIL * max(sides)})
