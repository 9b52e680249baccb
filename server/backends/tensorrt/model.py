"""Stand-in for Triton's `tensorrt` backend: runs the `model.onnx` beside which the plan lies on a GPU host."""

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, os.environ["LEAF_ROOT"])  # the stub ignores PYTHONPATH

from server.batches import OnnxModel, version_folder
from server.cores import CoreShares
from server.members import engine_cores, engine_settings


class TritonPythonModel:
    """One instance of a member; shares the cores with the other members."""

    def initialize(self, args: dict[str, str]) -> None:
        """Compile this version's network in the precision that its release asks for, unless the launcher was told."""
        cores = engine_cores()
        shares = CoreShares(Path(os.environ["LEAF_SHARES"]), cores)
        self._model = OnnxModel(args, engine_settings(version_folder(args)), cores, shares)

    def execute(self, requests: list[Any]) -> list[Any]:
        """One inference for the dynamic batch."""
        return self._model.execute(requests)
