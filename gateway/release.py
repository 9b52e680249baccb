"""One release as the gateway sees it: what its ensemble's configuration says, immutable."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from gateway.languages import ENGLISH

INPUT_NAME = "encoded_image"
OUTPUT_NAME = "probabilities"


class _Part(BaseModel):
    """A piece of the ensemble's parameters; what only others need is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class LeafClass(_Part):
    """One class: its stable key and its display name in each language."""

    key: str
    names: dict[str, str]


class Member(_Part):
    """One network of the ensemble and the tensor that carries its probabilities."""

    name: str
    output: str


class Thresholds(_Part):
    """The least probability for a class to be in the prediction set; none where the release was not calibrated."""

    prediction_set_probability: float | None = None


class Limits(_Part):
    """What an upload may be: bytes, pixels, shortest side in pixels, longer side over shorter."""

    max_bytes: int = Field(gt=0)
    max_pixels: int = Field(gt=0)
    min_side: int = Field(gt=0)
    max_aspect_ratio: float = Field(ge=1)


class _Parameters(_Part):
    release: int
    task: str
    classes: list[LeafClass] = Field(min_length=1)
    languages: list[str]
    members: list[Member] = Field(min_length=1)
    thresholds: Thresholds
    limits: Limits


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

    @cached_property
    def names(self) -> dict[str, tuple[str, ...]]:
        """Class names in class order, by language; where one is missing the English one, then the key."""
        return {
            language: tuple(c.names.get(language) or c.names.get(ENGLISH) or c.key for c in self.classes)
            for language in {*self.languages, ENGLISH}
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """Probabilities of one image, FP32 `[classes]` each: the ensemble's and, in member order, the members'."""

    ensemble: np.ndarray[Any, np.dtype[np.float32]]
    members: tuple[np.ndarray[Any, np.dtype[np.float32]], ...]


def read_release(ensemble: str, parameters: Mapping[str, str]) -> Release:
    """The release that an ensemble's configuration describes.

    Args:
        ensemble: model name in Triton, e.g. `leaf_ensemble_7`.
        parameters: its `parameters`, JSON strings by name.

    Raises:
        InvalidReleaseError: a parameter is missing, is not JSON or has the wrong form, or two classes share a name.
    """
    try:
        wanted = {name: json.loads(parameters[name]) for name in _Parameters.model_fields if name in parameters}
        parts = TypeAdapter(_Parameters).validate_python(wanted)
    except ValueError as error:
        raise InvalidReleaseError(f"{ensemble}: {error}") from error
    release = Release(
        ensemble=ensemble,
        parameters=dict(parameters),
        number=parts.release,
        task=parts.task,
        classes=tuple(parts.classes),
        languages=tuple(parts.languages),
        members=tuple(parts.members),
        thresholds=parts.thresholds,
        limits=parts.limits,
    )
    for language, names in release.names.items():
        if len(set(names)) < len(names):
            raise InvalidReleaseError(f"{ensemble}: two classes share a name in language {language!r}")
    return release
