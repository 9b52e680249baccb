"""TensorRT plans from a release's ONNX files, through TensorRT's Python API; needs neither torch nor onnx.

A plan loads only in the TensorRT version and on the kind of GPU that built it, so it is built on each kind of GPU host,
inside the container that serves, and `engine_manifest.json` says what it was built with.
"""

import importlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from export.durable import write
from export.errors import EngineError
from export.verify import MANIFEST, PINNED_TENSORRT, sha256

CONTAINER = "nvcr.io/nvidia/tritonserver:26.08-py3"
MODULES = ("tensorrt", "tensorrt_bindings")
PROFILE = (1, 8, 16)
"""Smallest, usual and largest batch; the last is Triton's max_batch_size."""
WORKSPACE_BYTES = 4 << 30


def load_tensorrt(pinned: str = PINNED_TENSORRT) -> Any:
    """TensorRT's Python module.

    Raises:
        EngineError: not installed, its libraries are missing, or not the version that the pinned Triton loads.
    """
    reasons = []
    for name in MODULES:
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            reasons.append(str(error))
            continue
        except (ImportError, OSError, RuntimeError) as error:
            raise EngineError(
                f"TensorRT's Python module is here, its libraries are not ({error}): build inside {CONTAINER}, or put the "
                "folder of libnvinfer on LD_LIBRARY_PATH."
            ) from error
        if module.__version__ != pinned:
            raise EngineError(
                f"TensorRT {module.__version__} is installed; the pinned Triton loads plans of {pinned} only: build inside "
                f"{CONTAINER}, or install tensorrt-cu13=={pinned}."
            )
        return module
    raise EngineError(
        f"TensorRT is not installed ({reasons[0]}). On the GPU host: docker run --gpus all -v $PWD:/w -w /w {CONTAINER} "
        "python3 -m export plan --repository FOLDER --release N"
    )


def build_plan(trt: Any, source: Path, timing_cache: Path | None = None) -> bytes:
    """One plan with one profile: batches of 1 to 16, other sides fixed.

    Raises:
        EngineError: the file cannot be parsed, or TensorRT builds nothing of it.
    """
    logger = _logger(trt)
    builder = trt.Builder(logger)
    network = builder.create_network()
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(source)):
        errors = "; ".join(parser.get_error(i).desc() for i in range(parser.num_errors))
        raise EngineError(
            f"TensorRT {trt.__version__} cannot read {source}: {errors}. Where an operator is not supported, train another "
            "architecture, or serve this member through the onnxruntime backend."
        )
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE_BYTES)
    profile = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        sides = tuple(tensor.shape)[1:]
        profile.set_shape(tensor.name, *((batch, *sides) for batch in PROFILE))
    config.add_optimization_profile(profile)
    cache = config.create_timing_cache(timing_cache.read_bytes() if timing_cache and timing_cache.is_file() else b"")
    has_cache = cache is not None and config.set_timing_cache(cache, ignore_mismatch=False)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EngineError(f"TensorRT built nothing of {source}: {'; '.join(logger.errors) or 'no reason given'}.")
    if timing_cache is not None and has_cache:
        write(timing_cache, bytes(config.get_timing_cache().serialize()))
    return bytes(plan)


def build_release(
    repository: Path, number: int, progress: Callable[[str], None], pinned: str = PINNED_TENSORRT
) -> None:
    """Plans of every member of a release, each beside its ONNX file, the manifest last.

    Raises:
        EngineError: as above, or the release is not there.
    """
    trt = load_tensorrt(pinned)
    found = sorted(repository.glob(f"*/{number}/cpu_engine.json"))
    if not (repository / f"leaf_ensemble_{number}").is_dir() or not found:
        raise EngineError(f"{repository} holds no release {number}: export it first, or name another.")
    for file in found:
        folder = file.parent
        half = folder / "model_float16.onnx"
        source = half if half.is_file() else folder / "model.onnx"
        progress(f"{folder.parent.name}: building from {source.name} with TensorRT {trt.__version__}")
        plan = build_plan(trt, source, repository / ".timing_cache")
        write(folder / "model.plan", plan)
        manifest = {
            "tensorrt": trt.__version__,
            **_gpu(),
            "profile": dict(zip(("min", "opt", "max"), PROFILE, strict=True)),
            "onnx": source.name,
            "onnx_sha256": sha256(source),
            "plan_sha256": sha256(folder / "model.plan"),
        }
        write(folder / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())


def _gpu() -> dict[str, str | None]:
    """The first GPU's name, compute capability and driver; None for each where there is no GPU."""
    keys = ("gpu", "compute_capability", "driver")
    query = ["nvidia-smi", "--query-gpu=name,compute_cap,driver_version", "--format=csv,noheader"]
    if shutil.which(query[0]) is None:
        return dict.fromkeys(keys)
    answer = subprocess.run(query, capture_output=True, text=True, timeout=30, check=False)
    if answer.returncode or not answer.stdout.strip():
        return dict.fromkeys(keys)
    return dict(zip(keys, (part.strip() for part in answer.stdout.splitlines()[0].split(",")), strict=True))


def _logger(trt: Any) -> Any:
    class Logger(trt.ILogger):  # type: ignore[misc]
        """Keeps errors for the message, says nothing else."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            """TensorRT's own call."""
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.errors.append(message)

    return Logger()
