"""Writes release N into a model repository: complete or absent.

Version folders are written aside and renamed into place; the ensemble `leaf_ensemble_N` comes last, and only it makes
the release exist.
"""

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import onnx
from PIL import Image

from export import averaging, configuration, onnx_model
from export.facts import release_facts
from export.leaf_drawing import draw_leaf
from export.members import Member, check_together
from export.steps import write, write_preprocessing, write_steps

CPU_PRECISIONS = ("float32", "bfloat16", "int8")


@dataclass(frozen=True)
class ReleaseOptions:
    """How a release is made."""

    cpu_precision: str = "float32"
    """What members compute in on a machine without a GPU: `float32`, `bfloat16` or `int8`."""
    cpu_precision_of: Mapping[str, str] = field(default_factory=dict)
    """The same for single members, by name."""
    float16_weights: bool = False
    """Store ONNX weights as float16: half the file, the same arithmetic."""
    coverage: float = 0.9
    """Share of prediction sets that shall hold the true class."""


def next_number(repository: Path) -> int:
    """One more than any release that the repository holds, or of which a version is left."""
    ensembles = [re.fullmatch(rf"{configuration.ENSEMBLE}_(\d+)", p.name) for p in repository.glob("*")]
    used = [int(m[1]) for m in ensembles if m]
    versions = [int(p.parent.name) for p in repository.glob("*/*/model.onnx") if p.parent.name.isdecimal()]
    return 1 + max(used + versions, default=0)


def write_release(
    repository: Path,
    members: list[Member],
    photos: Sequence[Image.Image],
    options: ReleaseOptions,
    progress: Callable[[str], None],
) -> int:
    """Convert the members and write the next release.

    Args:
        photos: RGB samples on which each conversion is checked; empty: drawn leaves.

    Returns:
        The release's number.

    Raises:
        ExportError: any of its kinds; the repository's releases are as before.
    """
    check_together(members)
    repository.mkdir(parents=True, exist_ok=True)
    number = next_number(repository)
    samples = list(photos) or [draw_leaf(seed) for seed in range(4)]
    weights = [1.0] * len(members)
    facts = release_facts(number, members, weights, options.coverage)
    configuration.ensemble(members, number, facts)  # too large facts are refused before the work
    with tempfile.TemporaryDirectory(prefix=".release-", dir=repository) as scratch:
        aside = Path(scratch)
        for member in members:
            _convert(member, aside / member.name, samples, options, progress)
        names = write_steps(repository, members)
        write_preprocessing(aside / names.preprocess, members)
        (aside / names.average).mkdir()
        answers = {member.probabilities: member.answer for member in members}
        average = averaging.averaging_model(answers, configuration.PROBABILITIES, weights, members[0].class_count)
        onnx.save(average, aside / names.average / "model.onnx")
        ensemble = configuration.ensemble(members, number, facts, names)
        write(aside / ensemble.name / "config.pbtxt", configuration.to_text(ensemble).encode())
        # Triton wants a version folder even where nothing lies in it
        write(aside / ensemble.name / str(number) / ".gitkeep", b"")
        for step in (names.preprocess, *(member.name for member in members), names.average):
            _replace(aside / step, repository / step / str(number))
        _replace(aside / ensemble.name, repository / ensemble.name)
    return number


def _convert(
    member: Member,
    folder: Path,
    samples: Sequence[Image.Image],
    options: ReleaseOptions,
    progress: Callable[[str], None],
) -> None:
    progress(f"{member.name}: loading {member.architecture}")
    classifier = onnx_model.load(member)
    pixels = onnx_model.view(classifier, samples)
    progress(f"{member.name}: converting to ONNX")
    model = onnx_model.to_onnx(member, classifier, pixels)
    if options.float16_weights:
        onnx_model.store_weights_as_float16(model)
    folder.mkdir()
    onnx.save(model, folder / "model.onnx")
    precision = options.cpu_precision_of.get(member.name, options.cpu_precision)
    (folder / "cpu_engine.json").write_text(json.dumps({"precision": precision}) + "\n")
    bound = onnx_model.PARITY_FLOAT16 if options.float16_weights else onnx_model.PARITY
    expected = onnx_model.probabilities(classifier, pixels)
    difference = onnx_model.check_parity(member, folder / "model.onnx", pixels, expected, bound)
    progress(f"{member.name}: ONNX agrees with torch within {difference:.1e} on {len(samples)} photos")


def _replace(source: Path, target: Path) -> None:
    """Rename a folder into place; a leftover of a release that never came to exist makes way."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        shutil.rmtree(target)
    source.rename(target)
