"""Between Triton's requests and the engine's arrays: gather a dynamic batch, run it, hand each request its rows.

Imported by the stand-in backends inside Triton's Python stub, where `triton_python_backend_utils` exists.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from server.cores import CoreShares
from server.engine import Engine


class OnnxModel:
    """A Python-based backend's model that runs `<version>/model.onnx` on the CPU engine.

    Serves the configuration of a production backend unchanged: reads input and output names from it.
    """

    def __init__(self, args: dict[str, str], precision: str, cores: int, shares: CoreShares | None) -> None:
        configuration = json.loads(args["model_config"])
        self._inputs = [tensor["name"] for tensor in configuration["input"]]
        self._outputs = [tensor["name"] for tensor in configuration["output"]]
        self._engine = Engine(version_folder(args) / "model.onnx", precision, cores, shares)

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """One inference for the whole dynamic batch."""
        gathered = {
            name: [pb_utils.get_input_tensor_by_name(request, name).as_numpy() for request in requests]
            for name in self._inputs
        }
        results = self._engine(
            {name: np.concatenate(parts) if len(parts) > 1 else parts[0] for name, parts in gathered.items()}
        )
        sizes = [len(part) for part in gathered[self._inputs[0]]]
        ends = np.cumsum(sizes)
        return [
            pb_utils.InferenceResponse(
                [pb_utils.Tensor(name, np.ascontiguousarray(results[name][end - size : end])) for name in self._outputs]
            )
            for size, end in zip(sizes, ends, strict=True)
        ]


def version_folder(args: dict[str, str]) -> Path:
    """Folder of the version that Triton asks this instance to serve."""
    return Path(args["model_repository"]) / args["model_version"]
