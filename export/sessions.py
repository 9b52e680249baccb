"""ONNX Runtime as every check here runs it: on the CPU, and on a GPU where it can."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from export.errors import ProviderError

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
CUDA_OPTIONS = {"use_tf32": "0"}
"""TF32 keeps ten bits of a factor's mantissa: it would hide what a conversion does."""


def on_cpu(model: Path | bytes) -> onnxruntime.InferenceSession:
    """A file, or its content, ready to run."""
    options = _options()
    # threads that wait in a loop take the cores from whatever else runs here
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=[CPU])


def has_cuda() -> bool:
    """Whether this ONNX Runtime is one that could use a GPU; the package `onnxruntime` is not, `onnxruntime-gpu` is."""
    return CUDA in onnxruntime.get_available_providers()


def on_cuda(model: Path | bytes) -> onnxruntime.InferenceSession:
    """The same on a GPU, float32 throughout.

    Raises:
        ProviderError: there is no GPU that it can use; it would quietly go to the CPU instead.
    """
    providers: list[Any] = [(CUDA, CUDA_OPTIONS)]
    try:
        session = onnxruntime.InferenceSession(model, _options(), providers=providers, enable_fallback=0)
    except Exception as error:  # its errors have no common base
        raise ProviderError(f"ONNX Runtime cannot use a GPU here: {' '.join(str(error).split())[:300]}") from error
    if session.get_providers()[0] != CUDA:
        raise ProviderError(
            f"ONNX Runtime has {CUDA} and runs on {session.get_providers()[0]} instead: there is no GPU that it can use, or "
            "CUDA's and cuDNN's libraries of its version are missing."
        )
    return session


def try_out(session: onnxruntime.InferenceSession, pixels: NDArray[np.float32]) -> None:
    """Run one photo: missing kernels, libraries and memory show here only.

    Raises:
        ProviderError: it fails.
    """
    try:
        session.run(None, {session.get_inputs()[0].name: pixels})
    except Exception as error:  # its errors have no common base
        raise ProviderError(f"ONNX Runtime fails on this GPU: {' '.join(str(error).split())[:300]}") from error


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return options
