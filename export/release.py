"""Writes release N into a model repository: complete or absent.

Version folders are written aside and renamed; the ensemble `leaf_ensemble_N` comes last, and only it makes the
release exist. A step's configuration belongs to all its versions: one that differs from what is there is refused.
"""

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from PIL import Image

from export import averaging, configuration, onnx_model, thresholds
from export.errors import StepConflictError
from export.leaf_drawing import draw_leaf
from export.members import Member, check_together

PIPELINE = Path(__file__).parent / "pipeline" / "dali.py"
WARMUP_PHOTO = Path(__file__).parent / "pipeline" / "leaf.jpg"
"""Drawn by `draw_leaf`; kept as a file, because its length is part of a configuration that must not change."""
LIMITS = {"max_bytes": 20 * 1024 * 1024, "max_pixels": 64 * 1024 * 1024, "min_side": 32, "max_aspect_ratio": 8}
"""What the gateway accepts: encoded bytes, pixels, pixels of the shorter side, longer side over shorter."""


@dataclass(frozen=True)
class ReleaseOptions:
    """How a release is made."""

    cpu_precision: str = "float32"
    """`float32` or `bfloat16`, of the engine that stands in on machines without a GPU."""
    float16_weights: bool = False
    """Store ONNX weights as float16: half the file, the same arithmetic."""
    coverage: float = 0.9
    """Share of prediction sets that shall hold the true class."""


def next_number(repository: Path) -> int:
    """One more than the highest release in the repository."""
    found = [re.fullmatch(rf"{configuration.ENSEMBLE}_(\d+)", p.name) for p in repository.glob("*")]
    return 1 + max((int(m[1]) for m in found if m), default=0)


def step_configurations(members: list[Member], cpu_precision: str) -> dict[str, Any]:
    """Configuration of every step by its name; none depends on the release."""
    return {
        configuration.PREPROCESS: configuration.preprocess_step(members, WARMUP_PHOTO.stat().st_size),
        **{member.name: configuration.member_step(member, cpu_precision) for member in members},
        configuration.AVERAGE: configuration.average_step(members),
    }


def write_steps(repository: Path, members: list[Member], cpu_precision: str) -> None:
    """Write the configurations, the warm-up picture and the readable `leaf_ensemble`; weights are not needed.

    Raises:
        StepConflictError: the repository holds another configuration under the same name; nothing was written.
    """
    wanted = step_configurations(members, cpu_precision)
    original = configuration.ensemble(members, None, {})
    for name, config in {**wanted, original.name: original}.items():
        file = repository / name / "config.pbtxt"
        if file.is_file() and configuration.from_text(file.read_text(encoding="utf-8")) != config:
            raise StepConflictError(
                f"{file} differs from what this release needs (shape, types, outputs, batch size or queue). Other releases "
                "share it, so it stays: rename the member's folder to a new step name, or export into another repository."
            )
    for name, config in {**wanted, original.name: original}.items():
        _write(repository / name / "config.pbtxt", configuration.to_text(config).encode())
    _write(repository / configuration.PREPROCESS / "warmup" / configuration.WARMUP_PHOTO, WARMUP_PHOTO.read_bytes())


def write_preprocessing(folder: Path, members: list[Member]) -> None:
    """The DALI pipeline and the views it produces, into a version folder of the preprocessing step."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PIPELINE, folder / "dali.py")
    views = [{"output": member.pixels, **asdict(member.view)} for member in members]
    (folder / "preprocessing.json").write_text(json.dumps(views, indent=1) + "\n")


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
    write_steps(repository, members, options.cpu_precision)
    with tempfile.TemporaryDirectory(prefix=".release-", dir=repository) as scratch:
        aside = Path(scratch)
        write_preprocessing(aside / configuration.PREPROCESS, members)
        for member in members:
            _convert(member, aside / member.name, samples, options, progress)
        average = aside / configuration.AVERAGE
        average.mkdir()
        names = {member.probabilities: member.answer for member in members}
        onnx.save(
            averaging.averaging_model(names, configuration.PROBABILITIES, weights, members[0].class_count),
            average / "model.onnx",
        )
        ensemble = aside / f"{configuration.ENSEMBLE}_{number}"
        facts = release_facts(number, members, weights, options.coverage)
        _write(
            ensemble / "config.pbtxt", configuration.to_text(configuration.ensemble(members, number, facts)).encode()
        )
        _write(ensemble / str(number) / ".gitkeep", b"")  # Triton wants a version folder even where nothing lies in it
        for step in (configuration.PREPROCESS, *(member.name for member in members), configuration.AVERAGE):
            _replace(aside / step, repository / step / str(number))
        _replace(ensemble, repository / ensemble.name)
    return number


def release_facts(number: int, members: list[Member], weights: list[float], coverage: float) -> dict[str, Any]:
    """What a client must know about a release, by parameter name of the ensemble."""
    first = members[0]
    return {
        "release": number,
        "task": first.classes["task"],
        "crop": first.classes.get("crop", {}),
        "languages": first.classes.get("languages", ["en"]),
        "classes": first.classes["classes"],
        "members": [
            {"name": member.name, "architecture": member.architecture, "output": member.answer} for member in members
        ],
        "weights": [weight / sum(weights) for weight in weights],
        "thresholds": _thresholds(members, weights, coverage),
        "limits": LIMITS,
        "metrics": _test_metrics(members, weights),
    }


def _thresholds(members: list[Member], weights: list[float], coverage: float) -> dict[str, float | None]:
    mean = _mean_probabilities(members, weights, "validation")
    if mean is None or first_labels(members, "validation") is None:
        return {"coverage": None, "prediction_set_probability": None}
    labels = first_labels(members, "validation")
    return {
        "coverage": coverage,
        "prediction_set_probability": thresholds.prediction_set_probability(mean, labels, coverage),
    }


def _test_metrics(members: list[Member], weights: list[float]) -> dict[str, float | int]:
    mean = _mean_probabilities(members, weights, "test")
    if mean is None:
        return {}
    labels = first_labels(members, "test")
    predicted = mean.argmax(axis=1)
    return {"test_photos": len(labels), "accuracy": round(float((predicted == labels).mean()), 4)}


def first_labels(members: list[Member], part: str) -> Any:
    """Labels of a part; every member holds the same ones."""
    stored = getattr(members[0], part)
    return None if stored is None else stored.labels


def _mean_probabilities(members: list[Member], weights: list[float], part: str) -> Any:
    stored = [getattr(member, part) for member in members]
    if any(predictions is None for predictions in stored):
        return None
    return np.average([predictions.probabilities() for predictions in stored], axis=0, weights=weights)


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
    model = onnx_model.to_onnx(member, classifier, pixels.repeat(2, 1, 1, 1) if len(pixels) == 1 else pixels)
    if options.float16_weights:
        onnx_model.store_weights_as_float16(model)
    folder.mkdir()
    onnx.save(model, folder / "model.onnx")
    bound = onnx_model.PARITY_FLOAT16 if options.float16_weights else onnx_model.PARITY
    expected = onnx_model.probabilities(classifier, pixels)
    difference = onnx_model.check_parity(member, folder / "model.onnx", pixels, expected, bound)
    progress(f"{member.name}: ONNX agrees with torch within {difference:.1e} on {len(samples)} photos")


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".{file.name}.new")
    aside.write_bytes(content)
    aside.replace(file)


def _replace(source: Path, target: Path) -> None:
    """Rename a folder into place; a leftover of a release that never came to exist makes way."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        shutil.rmtree(target)
    source.rename(target)
