"""Whether a host can load the plans of a repository; the standard library only, so that it runs before Triton starts."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from export.errors import VerifyError
from export.plan_files import MANIFEST, plan_name, read_manifest

PINNED_TENSORRT = "11.2.1.2"
PINNED_STEP = re.compile(r'model_name: "([^"]+)"\s+model_version: (\d+)')


def sha256(file: Path) -> str:
    """Hash of a file's content, hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def verify(repository: Path, tensorrt: str = PINNED_TENSORRT, capabilities: Sequence[str] = ()) -> list[str]:
    """Check every release's plans against this host.

    Args:
        tensorrt: version that serves.
        capabilities: compute capabilities of the GPUs that serve, as `8.9`; each must have its plan. None: every plan that
            is there must be whole, and there must be one.

    Returns:
        One line a plan.

    Raises:
        VerifyError: all that is wrong, one line each.
    """
    ensembles = sorted(p for p in repository.glob("leaf_ensemble_*") if p.name.rpartition("_")[2].isdecimal())
    if not ensembles:
        raise VerifyError(f"{repository} holds no release: export one first.")
    wrong, right = [], []
    for ensemble in ensembles:
        text = (ensemble / "config.pbtxt").read_text(encoding="utf-8")
        for step, version in PINNED_STEP.findall(text):
            folder = repository / step / version
            if not folder.is_dir():
                wrong.append(
                    f"{ensemble.name}: {folder} is missing: copy the whole repository, or export the release again."
                )
            elif (folder / "cpu_engine.json").is_file():
                for name, found in _plans(folder, tensorrt, capabilities).items():
                    wrong += [f"{ensemble.name}: {line}" for line in found]
                    right += [] if found else [f"{ensemble.name}: {step}/{version}/{name} is for TensorRT {tensorrt}"]
    if wrong:
        raise VerifyError("\n".join(wrong))
    return right


def _plans(folder: Path, tensorrt: str, capabilities: Sequence[str]) -> dict[str, list[str]]:
    """What is wrong with each plan of a version folder that matters here, by file name."""
    again = f"run `python -m export plan --release {folder.name}` on this host"
    place = "/".join(folder.parts[-2:])
    try:
        manifest = read_manifest(folder)
    except ValueError:
        return {MANIFEST: [f"{place}/{MANIFEST} is damaged: {again}."]}
    if not manifest:
        return {MANIFEST: [f"{place} has no plan: {again}."]}
    if not capabilities:
        return {name: _plan(folder / name, said, tensorrt, None, again) for name, said in manifest.items()}
    checked: dict[str, list[str]] = {}
    for capability in capabilities:
        name = plan_name(folder.parent, capability)
        if name in manifest:
            checked[name] = _plan(folder / name, manifest[name], tensorrt, capability, again)
        else:
            built = ", ".join(str(said.get("compute_capability")) for said in manifest.values())
            checked[name] = [f"{place} has no plan for compute capability {capability}, only for {built}: {again}."]
    return checked


def _plan(file: Path, said: dict[str, Any], tensorrt: str, capability: str | None, again: str) -> list[str]:
    name = "/".join(file.parts[-3:])
    try:
        source = file.parent / str(said["onnx"])
        built, built_by, hashes = (
            said["compute_capability"],
            said["tensorrt"],
            (said["plan_sha256"], said["onnx_sha256"]),
        )
    except (KeyError, TypeError):
        return [f"{'/'.join(file.parts[-3:-1])}/{MANIFEST} is damaged: {again}."]
    if not file.is_file():
        return [f"{name} is missing: {again}."]
    wrong = []
    if built_by != tensorrt:
        wrong.append(f"{name} was built by TensorRT {built_by}, {tensorrt} serves: {again}.")
    if built is None:
        wrong.append(f"{name} was built without a GPU, which proves that it can be built and no more: {again}.")
    elif capability is not None and built != capability:
        wrong.append(f"{name} was built for {built}, this GPU has compute capability {capability}: {again}.")
    if sha256(file) != hashes[0]:
        wrong.append(f"{name} is not the file that was built: {again}.")
    if not source.is_file() or sha256(source) != hashes[1]:
        wrong.append(f"{'/'.join(source.parts[-3:])} is not what the plan was built from: {again}.")
    return wrong
