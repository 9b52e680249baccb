"""GPUs of this host, from NVIDIA's own tool; the standard library only."""

import os
import shutil
import subprocess
from dataclasses import dataclass

TOOL = "nvidia-smi"
QUERY = (TOOL, "--query-gpu=name,compute_cap,driver_version", "--format=csv,noheader")


@dataclass(frozen=True)
class Gpu:
    """One GPU; all None stands for a host without."""

    gpu: str | None = None
    compute_capability: str | None = None
    driver: str | None = None


def visible() -> list[Gpu]:
    """GPUs that a program may use here, the one it uses unasked first; empty where there is none.

    `CUDA_VISIBLE_DEVICES` chooses among them, counting as the tool does (`CUDA_DEVICE_ORDER=PCI_BUS_ID`).
    """
    if shutil.which(TOOL) is None:
        return []
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    lines = _lines() if chosen is None else [line for one in chosen.split(",") if one for line in _lines("--id", one)]
    return [Gpu(*(part.strip() for part in line.rsplit(",", 2))) for line in lines]


def _lines(*arguments: str) -> list[str]:
    answer = subprocess.run([*QUERY, *arguments], capture_output=True, text=True, timeout=30, check=False)
    lines = [line for line in answer.stdout.splitlines() if line.count(",") >= 2]
    return [] if answer.returncode else lines
