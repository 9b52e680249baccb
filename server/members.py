"""How a member's CPU engine is to run: what its release says, what the launcher was told, what the processor can."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from server.cores import usable_cores
from server.quantization import Ranges

CPU_ENGINE = "cpu_engine.json"
"""Beside a member's `model.onnx`: `{"precision": "bfloat16"}`. GPU hosts do not read it."""

_PROCESSOR = Path("/proc/cpuinfo")
_VNNI = {"avx512_vnni", "avx_vnni"}


@dataclass(frozen=True)
class EngineSettings:
    """`activation_ranges` of the layers that `int8` changes; None where the export did not measure them."""

    precision: str = "float32"
    activation_ranges: Ranges | None = None


def engine_settings(version_folder: Path) -> EngineSettings:
    """The launcher's `--precision`, else the release's own choice, else float32.

    Where int8 was asked for and cannot be, the member computes in bfloat16, and standard error says why.
    """
    file = version_folder / CPU_ENGINE
    said = json.loads(file.read_text()) if file.is_file() else {}
    told = os.environ.get("LEAF_CPU_PRECISION", "configured")
    precision = said.get("precision", "float32") if told == "configured" else told
    ranges = said.get("activation_ranges")
    if precision == "int8" and (fault := _against_int8(ranges)):
        sys.stderr.write(f"{version_folder.parent.name} computes in bfloat16 instead of int8: {fault}\n")
        precision = "bfloat16"
    return EngineSettings(str(precision), ranges)


def _against_int8(ranges: Ranges | None) -> str | None:
    if ranges is None:
        return "it was not calibrated; export it with --photos and --cpu-precision int8."
    if not _VNNI & set(_PROCESSOR.read_text().split()):
        # older instructions add two products in 16 bits, which overflow without a word
        return "this processor has no VNNI instructions."
    return None


def engine_cores() -> int:
    """The launcher's `--threads`, else every core that this process may use."""
    return int(os.environ.get("LEAF_CPU_THREADS", "0")) or usable_cores()
