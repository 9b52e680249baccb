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
from server.engine import Arrays, Engine
from server.members import EngineSettings


class OnnxModel:
    """A Python-based backend's model that runs `<version>/model.onnx` on the CPU engine.

    Serves the configuration of a production backend unchanged: reads input and output names from it.
    """

    def __init__(self, args: dict[str, str], settings: EngineSettings, cores: int, shares: CoreShares | None) -> None:
        configuration = json.loads(args["model_config"])
        self._inputs = [tensor["name"] for tensor in configuration["input"]]
        self._outputs = [tensor["name"] for tensor in configuration["output"]]
        self._engine = Engine(version_folder(args) / "model.onnx", settings, cores, shares)

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """The rows of all requests of the dynamic batch together, then each request its own answers."""
        rows: list[Arrays] = []
        ends = []
        for request in requests:
            arrays = {name: pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in self._inputs}
            count = len(arrays[self._inputs[0]])
            rows += [{name: array[row : row + 1] for name, array in arrays.items()} for row in range(count)]
            ends.append(len(rows))
        answers = self._engine(rows)
        starts = [0, *ends[:-1]]
        return [self._respond(answers[start:end]) for start, end in zip(starts, ends, strict=True)]

    def _respond(self, answers: Sequence[Arrays]) -> Any:
        return pb_utils.InferenceResponse(
            [pb_utils.Tensor(name, np.concatenate([answer[name] for answer in answers])) for name in self._outputs]
        )


def version_folder(args: dict[str, str]) -> Path:
    """Folder of the version that Triton asks this instance to serve."""
    return Path(args["model_repository"]) / args["model_version"]
