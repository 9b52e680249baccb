"""Whether a release answers as it should: on the photos that came with it, as export has promised.

They travel in the ensemble's parameter `probes`, so every machine that serves a release can prove it.
"""

import asyncio
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Base64Bytes, BaseModel, Field, ValidationError

from gateway.errors import InferenceFailed, ReleaseRefused, UndecodableImage
from gateway.triton.client import Triton
from gateway.triton.probing import probe_image
from gateway.triton.release import Release

_PARAMETER, _REPORT = "probes", "report.json"
_SUM_TOLERANCE = 1e-2


class _Photo(BaseModel):
    jpeg: Base64Bytes
    probabilities: list[float]


class _Probes(BaseModel):
    tolerance: float = Field(gt=0, le=1)
    photos: list[_Photo]


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
    if repository is not None:
        await asyncio.to_thread(_require_report, repository / release.ensemble, release)
    probes = _read_probes(release)
    if not probes.photos:
        await _answer(triton, release, probe_image(), "the gateway's own picture")
        return "it came without probe photos and answers the gateway's own picture"
    worst = 0.0
    for place, photo in enumerate(probes.photos, start=1):
        said = await _answer(triton, release, photo.jpeg, f"probe photo {place}")
        difference = float(np.abs(said - np.asarray(photo.probabilities)).max())
        if not difference <= probes.tolerance:
            raise ReleaseRefused(
                f"Release {release.number} answers probe photo {place} differently by {difference:.3f}, more than "
                f"{probes.tolerance:g}."
            )
        worst = max(worst, difference)
    return f"{len(probes.photos)} probe photos are answered as promised, within {worst:.1e}"


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


def _read_probes(release: Release) -> _Probes:
    """The probes; none in releases that are older than probes."""
    try:
        probes = _Probes.model_validate_json(release.parameters.get(_PARAMETER, '{"tolerance": 1, "photos": []}'))
    except ValidationError as error:
        places = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise ReleaseRefused(f"The probes of release {release.number} cannot be read: {places}.") from error
    if any(len(photo.probabilities) != len(release.classes) for photo in probes.photos):
        raise ReleaseRefused(f"The probes of release {release.number} have another number of classes than the release.")
    return probes
