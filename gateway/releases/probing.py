"""Whether a release answers as it should: on the photos that came with it, as its report says."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError

from gateway.errors import InferenceFailed, ReleaseRefused, UndecodableImage
from gateway.triton.client import Triton
from gateway.triton.probing import probe_image
from gateway.triton.release import Release

_FOLDER, _FILE, _REPORT = "probes", "probes.json", "report.json"
_MOST_BYTES = 256 * 1024
_SUM_TOLERANCE = 1e-2


class _Photo(BaseModel):
    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    probabilities: list[float]


class _Probes(BaseModel):
    tolerance: float = Field(gt=0, le=1)
    photos: list[_Photo] = Field(min_length=1, max_length=8)


async def prove_release(triton: Triton, release: Release, repository: Path | None) -> str:
    """Have a loaded release answer its probe photos; without them the gateway's own picture.

    Args:
        repository: Triton's model repository, None where it cannot be seen from here.

    Returns:
        What was shown, as a sentence.

    Raises:
        ReleaseRefused: it does not answer, or not as it should.
        TritonUnavailable, Overloaded, DeadlineExceeded: that could not be found out now.
    """
    folder = repository / release.ensemble if repository else None
    if folder is not None:
        _require_report(folder, release)
    probes = _read_probes(folder, release) if folder is not None and (folder / _FOLDER / _FILE).is_file() else None
    if probes is None or folder is None:
        await _answer(triton, release, probe_image(), "the gateway's own picture")
        return "it came without probe photos and answers the gateway's own picture"
    worst = 0.0
    for photo in probes.photos:
        said = await _answer(triton, release, _read_photo(folder / _FOLDER / photo.file), photo.file)
        difference = float(np.abs(said - np.asarray(photo.probabilities)).max())
        if not difference <= probes.tolerance:
            raise ReleaseRefused(
                f"Release {release.number} answers probe {photo.file} differently by {difference:.3f}, more than "
                f"{probes.tolerance:g}."
            )
        worst = max(worst, difference)
    return f"{len(probes.photos)} probe photos are answered as its report says, within {worst:.1e}"


async def _answer(triton: Triton, release: Release, image: bytes, name: str) -> NDArray[np.float32]:
    """Probabilities `[classes]` of one picture, which have to be some."""
    try:
        answer = await triton.infer(release, image, "release-probe")
    except (UndecodableImage, InferenceFailed) as problem:
        raise ReleaseRefused(f"Release {release.number} does not answer {name}: {problem.detail}") from problem
    for said in (answer.ensemble, *answer.members):
        if said.min() < 0 or abs(float(said.sum()) - 1) > _SUM_TOLERANCE:
            raise ReleaseRefused(f"What release {release.number} answers to {name} are no probabilities.")
    return answer.ensemble


def _require_report(folder: Path, release: Release) -> None:
    """The report beside the ensemble, where there is one, has to be this release's."""
    try:
        report = json.loads((folder / _REPORT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise ReleaseRefused(f"The report of release {release.number} cannot be read: {error}.") from error
    if report.get("release", release.number) != release.number:
        raise ReleaseRefused(f"The report beside release {release.number} is of release {report['release']}.")


def _read_probes(folder: Path, release: Release) -> _Probes:
    try:
        probes = _Probes.model_validate_json((folder / _FOLDER / _FILE).read_bytes())
    except (OSError, ValidationError) as error:
        raise ReleaseRefused(f"The probes of release {release.number} cannot be read: {error}") from error
    if any(len(photo.probabilities) != len(release.classes) for photo in probes.photos):
        raise ReleaseRefused(f"The probes of release {release.number} have another number of classes than the release.")
    return probes


def _read_photo(file: Path) -> bytes:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ReleaseRefused(f"The probe photo {file.name} cannot be read: {error.strerror}.") from error
    if len(data) > _MOST_BYTES:
        raise ReleaseRefused(f"The probe photo {file.name} has more than {_MOST_BYTES} bytes.")
    return data
