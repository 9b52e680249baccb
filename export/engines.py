"""A TensorRT plan from an ONNX file, through TensorRT's Python API; needs neither torch nor onnx."""

import importlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.errors import EngineError
from export.verify import PINNED_TENSORRT

CONTAINER = "nvcr.io/nvidia/tensorrt:26.08-py3"
"""Has the libraries of Triton's image of the same tag, and TensorRT's Python API, which that one lacks."""
MODULES = ("tensorrt", "tensorrt_bindings")
PROFILE = (1, 8, 16)
"""Smallest, usual and largest batch; the last is Triton's max_batch_size."""
WORKSPACE_BYTES = 4 << 30


def load_tensorrt(pinned: str = PINNED_TENSORRT) -> Any:
    """TensorRT's Python module.

    Raises:
        EngineError: not installed, its libraries are missing, or not the version that the pinned Triton loads.
    """
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # count GPUs as nvidia-smi does, which names them
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
                f"{CONTAINER}, or `pip install tensorrt-cu13=={pinned}`."
            )
        return module
    raise EngineError(
        f"TensorRT is not installed ({reasons[0]}). On the GPU host: docker run --gpus all -v $PWD:/w -w /w {CONTAINER} "
        f"python3 -m export plan --repository FOLDER --release N; or `pip install tensorrt-cu13=={pinned}` there."
    )


@dataclass(frozen=True)
class BuiltPlan:
    """What TensorRT made of an ONNX file."""

    content: bytes
    tensors: dict[str, list[str | int]]
    """Type and sides of every input and output by name; -1 is the batch."""
    timing_cache: bytes = b""
    """What was measured of the GPU's kernels, for the next build on one of its kind; empty where TensorRT gave none."""


def build_plan(trt: Any, source: Path, timing_cache: bytes = b"") -> BuiltPlan:
    """One plan with one profile: batches of 1 to 16, other sides fixed.

    Args:
        timing_cache: of an earlier build on this kind of GPU; empty: none.

    Raises:
        EngineError: the file cannot be parsed, or TensorRT builds nothing of it.
    """
    logger = logger_of(trt)
    builder = trt.Builder(logger)
    network = builder.create_network()
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(source)):
        raise EngineError(_unread(trt, source, [parser.get_error(index) for index in range(parser.num_errors)]))
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE_BYTES)
    profile = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        sides = tuple(tensor.shape)[1:]
        profile.set_shape(tensor.name, *((batch, *sides) for batch in PROFILE))
    config.add_optimization_profile(profile)
    cache = config.create_timing_cache(timing_cache)
    has_cache = cache is not None and config.set_timing_cache(cache, ignore_mismatch=False)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EngineError(f"TensorRT built nothing of {source}: {'; '.join(logger.errors) or 'no reason given'}.")
    measured = bytes(config.get_timing_cache().serialize()) if has_cache else b""
    return BuiltPlan(bytes(plan), _tensors(network), measured)


def _unread(trt: Any, source: Path, errors: list[Any]) -> str:
    """Why a file was not parsed: operators by name, and everything else in the parser's words."""
    refused = [error for error in errors if error.code().name.startswith(("UNSUPPORTED_NODE", "INVALID_NODE"))]
    operators = sorted({error.node_operator() for error in refused if error.node_operator()})
    if not operators:
        return f"TensorRT {trt.__version__} cannot read {source}: {'; '.join(error.desc() for error in errors)}"
    return (
        f"TensorRT {trt.__version__} does not support {', '.join(operators)} as {source} uses it "
        f"({'; '.join(error.desc() for error in errors)}): train another architecture, or serve this member through the "
        "onnxruntime backend."
    )


def _tensors(network: Any) -> dict[str, list[str | int]]:
    given = [network.get_input(index) for index in range(network.num_inputs)]
    answered = [network.get_output(index) for index in range(network.num_outputs)]
    return {tensor.name: [tensor.dtype.name, *tensor.shape] for tensor in (*given, *answered)}


def logger_of(trt: Any) -> Any:
    """A logger for TensorRT whose `errors` are kept for messages."""

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
