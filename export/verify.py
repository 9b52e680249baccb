"""Whether a host can load the plans of a repository; the standard library only, so that it runs before Triton starts."""

import hashlib
import json
import re
from pathlib import Path

from export.errors import VerifyError

PINNED_TENSORRT = "11.2.1.2"
MANIFEST = "engine_manifest.json"
PINNED_STEP = re.compile(r'model_name: "([^"]+)"\s+model_version: (\d+)')


def sha256(file: Path) -> str:
    """Hash of a file's content, hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def verify(repository: Path, tensorrt: str = PINNED_TENSORRT, compute_capability: str | None = None) -> list[str]:
    """Check every release's plans against this host.

    Args:
        tensorrt: version that serves.
        compute_capability: of the GPU that serves, `8.9`; None leaves it unchecked.

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
                found = _plan(folder, tensorrt, compute_capability)
                wrong += [f"{ensemble.name}: {line}" for line in found]
                right += [] if found else [f"{ensemble.name}: {step}/{version} was built for TensorRT {tensorrt}"]
    if wrong:
        raise VerifyError("\n".join(wrong))
    return right


def _plan(folder: Path, tensorrt: str, compute_capability: str | None) -> list[str]:
    name = "/".join(folder.parts[-2:])
    again = f"run `python -m export plan --release {folder.name}` on this host"
    if not (folder / "model.plan").is_file() or not (folder / MANIFEST).is_file():
        return [f"{name} has no plan: {again}."]
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        source = folder / str(manifest["onnx"])
        said = {key: manifest[key] for key in ("tensorrt", "compute_capability", "onnx_sha256", "plan_sha256")}
    except (ValueError, KeyError, TypeError):
        return [f"{name}/{MANIFEST} is damaged: {again}."]
    wrong = []
    if said["tensorrt"] != tensorrt:
        wrong.append(f"{name} was built by TensorRT {said['tensorrt']}, {tensorrt} serves: {again}.")
    if said["compute_capability"] is None:
        wrong.append(f"{name} was built without a GPU, which proves that it can be built and no more: {again}.")
    elif compute_capability is not None and said["compute_capability"] != compute_capability:
        built = said["compute_capability"]
        wrong.append(f"{name} was built for {built}, this GPU has compute capability {compute_capability}: {again}.")
    if sha256(folder / "model.plan") != said["plan_sha256"]:
        wrong.append(f"{name}/model.plan is not the file that was built: {again}.")
    if not source.is_file() or sha256(source) != said["onnx_sha256"]:
        wrong.append(f"{name}/{source.name} is not what the plan was built from: {again}.")
    return wrong
