"""Copies of one release: a repository for the acceptance alone, and in it the same release again under the next number."""

import json
import re
import shutil
from pathlib import Path

from deploy.acceptance.compose import AcceptanceError
from deploy.triton import newest_ensemble

PINNED_STEP = re.compile(r'model_name: "([^"]+)"\s+model_version: (\d+)')
RELEASE = re.compile(r'(key: "release"\s+value \{\s+string_value: ")\d+(")')


def newest(repository: Path) -> int:
    """Number of the newest release.

    Raises:
        deploy.triton.StartError: there is none.
    """
    return int(newest_ensemble(repository).rpartition("_")[2])


def steps(repository: Path, number: int) -> list[str]:
    """Names of the steps that a release pins.

    Raises:
        AcceptanceError: the ensemble pins no step, or another version than its own number.
    """
    found = PINNED_STEP.findall((repository / f"leaf_ensemble_{number}" / "config.pbtxt").read_text(encoding="utf-8"))
    if not found or any(int(version) != number for _, version in found):
        raise AcceptanceError(f"{repository}/leaf_ensemble_{number} is no release as export writes it: {found}")
    return [name for name, _ in found]


def copy_release(source: Path, target: Path, number: int) -> None:
    """A repository with this release alone."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for step in steps(source, number):
        others = [path.name for path in (source / step).iterdir() if path.name.isdecimal() and path.name != str(number)]
        shutil.copytree(source / step, target / step, ignore=shutil.ignore_patterns(*others))
    shutil.copytree(source / f"leaf_ensemble_{number}", target / f"leaf_ensemble_{number}")


def add_twin(repository: Path, number: int) -> int:
    """The same release again under the next number, plans included; returns that number."""
    twin = number + 1
    for step in steps(repository, number):
        shutil.copytree(repository / step / str(number), repository / step / str(twin))
    draft = repository / ".twin"
    shutil.copytree(repository / f"leaf_ensemble_{number}", draft)
    file = draft / "config.pbtxt"
    text = file.read_text(encoding="utf-8").replace(
        f'name: "leaf_ensemble_{number}"', f'name: "leaf_ensemble_{twin}"', 1
    )
    text = text.replace(f"model_version: {number}\n", f"model_version: {twin}\n")
    file.write_text(RELEASE.sub(rf"\g<1>{twin}\g<2>", text), encoding="utf-8")
    report = draft / "report.json"
    said = json.loads(report.read_text(encoding="utf-8"))
    report.write_text(json.dumps(said | {"release": twin}), encoding="utf-8")
    draft.rename(repository / f"leaf_ensemble_{twin}")
    return twin
