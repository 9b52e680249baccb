"""How a member's CPU engine is to run: what its release says, and what the launcher was told."""

import json
import os
from pathlib import Path

from server.cores import usable_cores

CPU_ENGINE = "cpu_engine.json"
"""Beside a member's `model.onnx`: `{"precision": "bfloat16"}`. GPU hosts do not read it."""


def engine_precision(version_folder: Path) -> str:
    """The launcher's `--precision`, else the release's own choice, else float32."""
    told = os.environ.get("LEAF_CPU_PRECISION", "configured")
    if told != "configured":
        return told
    file = version_folder / CPU_ENGINE
    return str(json.loads(file.read_text())["precision"]) if file.is_file() else "float32"


def engine_cores() -> int:
    """The launcher's `--threads`, else every core that this process may use."""
    return int(os.environ.get("LEAF_CPU_THREADS", "0")) or usable_cores()
