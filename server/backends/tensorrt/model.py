"""Stand-in for Triton's `tensorrt` backend: runs the `model.onnx` beside which the plan lies on a GPU host."""

import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, os.environ["LEAF_ROOT"])  # the stub ignores PYTHONPATH

from server.batches import OnnxModel
from server.engine import usable_cores


class TritonPythonModel:
    """One instance of a member: all cores, one member at a time."""

    def initialize(self, args: dict[str, str]) -> None:
        """Compile this version's network; the step's `cpu_precision` parameter decides unless the launcher was told."""
        parameters = json.loads(args["model_config"]).get("parameters", {})
        precision = os.environ["LEAF_CPU_PRECISION"]
        if precision == "configured":
            precision = parameters.get("cpu_precision", {}).get("string_value", "float32")
        threads = int(os.environ["LEAF_CPU_THREADS"]) or usable_cores()
        self._model = OnnxModel(args, precision, threads, Path(os.environ["LEAF_ENGINE_LOCK"]))

    def execute(self, requests: list[Any]) -> list[Any]:
        """One inference for the dynamic batch."""
        return self._model.execute(requests)
