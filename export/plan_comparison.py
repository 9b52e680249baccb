"""`python -m export compare`: a release's plans for this host's GPU against its float32 ONNX files, on photos, with timing.

Needs a GPU, TensorRT and what export needs. What is found goes into each plan's entry in `engine_manifest.json`, and with it
into the release's summary. It decides nothing for Triton: `verify` does not ask for it.
"""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from timm.data.transforms_factory import create_transform

from export import gpus, sessions
from export.agreement import SMALLEST_SPREAD, agreement
from export.cuda_driver import Gpu
from export.durable import write
from export.engines import load_tensorrt
from export.errors import EngineError
from export.locking import writing
from export.plan_files import MANIFEST, plan_name, read_manifest, to_text
from export.plan_running import MOST, RunningPlan
from export.timing import BATCHES, by_batch
from export.verify import PINNED_TENSORRT

Answer = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Pixels [photos, 3, height, width] to probabilities [photos, classes]."""


def compare_release(
    repository: Path,
    number: int,
    photos: Sequence[Image.Image],
    bound: float,
    seconds: float,
    progress: Callable[[str], None],
    pinned: str = PINNED_TENSORRT,
) -> None:
    """Compare every member's plan for this host's GPU; all are compared before any of them is called wrong.

    Args:
        bound: largest difference of a probability; infinite takes any plan that answers with numbers.
        seconds: as `timing.by_batch`.

    Raises:
        EngineError: a plan is not there, cannot run, or does not answer what its ONNX file does.
        GpuError: this host's GPUs cannot be told.
    """
    trt = load_tensorrt(pinned)
    here = next(iter(gpus.visible()), None)
    if here is None:
        raise EngineError("A plan runs on a GPU only, and this host shows none: compare on the host that serves.")
    folders = sorted(file.parent for file in repository.glob(f"*/{number}/cpu_engine.json"))
    if not folders:
        raise EngineError(f"{repository} holds no release {number}: export it first, or name another.")
    gpu, wrong = Gpu(), []
    for folder in folders:
        name = plan_name(folder.parent, here.compute_capability)
        if name not in _manifest(folder) or not (folder / name).is_file():
            raise EngineError(f"{folder} has no {name}: run `python -m export plan --release {number}` on this host.")
        content = (folder / name).read_bytes()
        plan = RunningPlan(trt, content, gpu)
        output = f"probabilities_{folder.parent.name}"
        said = compare(of_plan(plan, output), of_onnx(folder / "model.onnx", output), _pixels(folder, photos), seconds)
        found = [f"{folder / name} {fault}" for fault in faults(said, bound)]
        with writing(repository, progress):
            plans = _manifest(folder)
            if plans.get(name, {}).get("plan_sha256") != hashlib.sha256(content).hexdigest():
                raise EngineError(
                    f"{folder / name} was built anew meanwhile, or is not what its manifest says: compare again."
                )
            allowed = bound if math.isfinite(bound) else None
            plans[name] |= {"compared": said | {"allowed": allowed, "gpu": here.gpu, "faults": faults(said, bound)}}
            write(folder / MANIFEST, to_text(plans).encode())
        if not found:
            progress(f"{folder.parent.name}: {name} agrees with model.onnx within {said['largest_difference']:.1e}")
        wrong += found
    if wrong:
        raise EngineError("\n".join(wrong))


def compare(plan: Answer, exact: Answer, pixels: NDArray[np.float32], seconds: float) -> dict[str, Any]:
    """What a plan answers beside its ONNX file, and how long a batch takes it, copies to and from the GPU included."""
    expected, answered = (np.concatenate([run(part) for part in _batches(pixels)]) for run in (exact, plan))
    found = agreement(expected, answered)
    return {
        "photos": len(pixels),
        "largest_difference": None if found.not_finite else found.difference,
        "not_finite": found.not_finite,
        "clear_classes_changed": found.changed,
        "spread": found.spread,
        "milliseconds_by_batch": _timed(plan, pixels[:1], seconds),
    }


def _timed(plan: Answer, photo: NDArray[np.float32], seconds: float) -> dict[str, Any]:
    """Batches are made, and each shape is run once, before any clock runs."""
    batches = {count: photo.repeat(count, axis=0) for count in BATCHES} if seconds else {}
    for batch in batches.values():
        plan(batch)
    return by_batch(lambda count: plan(batches[count]), seconds)


def faults(said: dict[str, Any], bound: float) -> list[str]:
    """Why a comparison proves nothing, or that the plan must not serve."""
    if said["not_finite"]:
        return [f"answers {said['not_finite']} of {said['photos']} photos with what is no number: do not serve it."]
    if not math.isfinite(bound):
        return []
    if said["spread"] < SMALLEST_SPREAD:
        return [f"has a member that answers {said['photos']} photos alike, which proves nothing: give other --photos."]
    if said["clear_classes_changed"] or not said["largest_difference"] <= bound:
        return [
            f"moves a probability by {said['largest_difference']:.2g} (allowed {bound:g}) and changes the class of "
            f"{said['clear_classes_changed']} photos that float32 is clear about: do not serve it; build it from float32 "
            "(export without --half-precision), or take it knowingly with --gate plan=off."
        ]
    return []


def of_plan(plan: RunningPlan, output: str) -> Answer:
    """A plan's probabilities."""
    return lambda pixels: plan(pixels)[output]


def of_onnx(file: Path, output: str) -> Answer:
    """A file's probabilities in ONNX Runtime on the CPU, float32."""
    session = sessions.on_cpu(file)
    name = session.get_inputs()[0].name
    return lambda pixels: np.asarray(session.run([output], {name: pixels})[0])


def _batches(pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    return [pixels[start : start + MOST] for start in range(0, len(pixels), MOST)]


def _pixels(folder: Path, photos: Sequence[Image.Image]) -> NDArray[np.float32]:
    """The member's view of photos, by what its release says of it: float32 [photos, 3, height, width]."""
    member, number = folder.parent.name, folder.name
    for file in folder.parents[1].glob(f"*/{number}/preprocessing.json"):
        for view in json.loads(file.read_text(encoding="utf-8")):
            if view["output"] == f"pixels_{member}":
                size = (3, view.pop("height"), view.pop("width"))
                transform = create_transform(size, **{key: view[key] for key in view if key != "output"})
                return np.stack([np.asarray(transform(photo)) for photo in photos])
    raise EngineError(f"Release {number} does not say how {member} sees a photo: copy the whole repository.")


def _manifest(folder: Path) -> dict[str, dict[str, Any]]:
    try:
        return read_manifest(folder)
    except ValueError as error:
        raise EngineError(
            f"{folder / MANIFEST} is damaged: build its plans again (`python -m export plan`)."
        ) from error
