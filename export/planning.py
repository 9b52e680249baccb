"""TensorRT plans of a release: built on each kind of GPU host, inside the container that serves, side by side.

A plan loads only in the TensorRT version and on the kind of GPU that built it. Each lies under the name that the step's
configuration has for its compute capability, and has its entry in the version folder's `engine_manifest.json`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from export import gpus
from export.durable import write
from export.engines import PROFILE, BuiltPlan, build_plan, load_tensorrt
from export.errors import EngineError
from export.gpus import Gpu
from export.locking import writing
from export.plan_files import MANIFEST, plan_name, read_manifest, to_text
from export.verify import PINNED_TENSORRT, sha256

TIMING_CACHE = ".timing_cache"
"""In the repository, one for each compute capability: it holds for one kind of GPU only."""


def build_release(
    repository: Path,
    number: int,
    progress: Callable[[str], None],
    replace: bool = False,
    pinned: str = PINNED_TENSORRT,
) -> None:
    """Plans of every member of a release for this host's GPU; those of other kinds of GPU stay as they are.

    Args:
        replace: whether a plan for another kind of GPU may go where the step's configuration has one name for both.

    Raises:
        EngineError: TensorRT is not there or builds nothing, the release is not there, or a plan would be in the way.
    """
    trt = load_tensorrt(pinned)
    folders = sorted(file.parent for file in repository.glob(f"*/{number}/cpu_engine.json"))
    if not (repository / f"leaf_ensemble_{number}").is_dir() or not folders:
        raise EngineError(f"{repository} holds no release {number}: export it first, or name another.")
    gpu = next(iter(gpus.visible()), Gpu())
    names = [plan_name(folder.parent, gpu.compute_capability) for folder in folders]
    if not replace:
        for folder, name in zip(folders, names, strict=True):
            _check_room(folder, name, gpu)
    cache = repository / f"{TIMING_CACHE}_{gpu.compute_capability}"
    for folder, name in zip(folders, names, strict=True):
        half = folder / "model_float16.onnx"
        source = half if half.is_file() else folder / "model.onnx"
        progress(f"{folder.parent.name}: building {name} from {source.name} with TensorRT {trt.__version__}")
        built = build_plan(trt, source, cache.read_bytes() if cache.is_file() else b"")
        entry = {
            "tensorrt": trt.__version__,
            **vars(gpu),
            "profile": dict(zip(("min", "opt", "max"), PROFILE, strict=True)),
            "tensors": built.tensors,
            "onnx": source.name,
            "onnx_sha256": sha256(source),
        }
        with writing(repository, progress):  # another host may build for the same folder
            _keep(folder, name, built, entry)
            if built.timing_cache:
                write(cache, built.timing_cache)


def _keep(folder: Path, name: str, built: BuiltPlan, entry: dict[str, Any]) -> None:
    """The plan, then its entry: a kill between the two leaves a plan that `verify` names."""
    write(folder / name, built.content)
    plans = _manifest(folder) | {name: entry | {"plan_sha256": sha256(folder / name)}}
    write(folder / MANIFEST, to_text(plans).encode())


def _check_room(folder: Path, name: str, gpu: Gpu) -> None:
    """Raises EngineError where a plan for another kind of GPU lies under the name."""
    other = _manifest(folder).get(name, {}).get("compute_capability")
    if other is not None and other != gpu.compute_capability:
        here = "a host without a GPU" if gpu.compute_capability is None else gpu.compute_capability
        raise EngineError(
            f"{folder / name} was built for compute capability {other}, and the step's configuration has no other name for "
            f"{here}. Give each kind of GPU a repository of its own, or say --replace."
        )


def _manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """What is there; a damaged manifest is written anew, and `verify` names the plans that it lost."""
    try:
        return read_manifest(folder)
    except ValueError:
        return {}
