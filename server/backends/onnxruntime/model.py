"""Stand-in for Triton's `onnxruntime` backend, which serves the averaging step: tiny tensors, one thread, float32."""

import os
import sys
from typing import Any

sys.path.insert(0, os.environ["LEAF_ROOT"])  # the stub ignores PYTHONPATH

from server.batches import OnnxModel
from server.members import EngineSettings


class TritonPythonModel:
    """One instance of a step; its arithmetic is too small to wait for a turn."""

    def initialize(self, args: dict[str, str]) -> None:
        """Compile this version's network."""
        self._model = OnnxModel(args, EngineSettings(), cores=1, shares=None)

    def execute(self, requests: list[Any]) -> list[Any]:
        """One inference for the dynamic batch."""
        return self._model.execute(requests)
