"""How a member's CPU engine is to run: what its release says, and what the launcher was told."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from server.cores import usable_cores
from server.quantization import Ranges

CPU_ENGINE = "cpu_engine.json"
"""Beside a member's `model.onnx`: `{"precision": "bfloat16"}`. GPU hosts do not read it."""


@dataclass(frozen=True)
class EngineSettings:
    """`activation_ranges` of the layers that `int8` changes; None where the export did not measure them."""

    precision: str = "float32"
    activation_ranges: Ranges | None = None


def engine_settings(version_folder: Path) -> EngineSettings:
    """The launcher's `--precision`, else the release's own choice, else float32."""
    file = version_folder / CPU_ENGINE
    said = json.loads(file.read_text()) if file.is_file() else {}
    told = os.environ.get("LEAF_CPU_PRECISION", "configured")
    precision = said.get("precision", "float32") if told == "configured" else told
    return EngineSettings(str(precision), said.get("activation_ranges"))


def engine_cores() -> int:
    """The launcher's `--threads`, else every core that this process may use."""
    return int(os.environ.get("LEAF_CPU_THREADS", "0")) or usable_cores()
