"""GPUs of this host, from NVIDIA's own tool; the standard library only."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from itertools import takewhile

from export.errors import GpuError

TOOL = "nvidia-smi"
QUERY = (TOOL, "--query-gpu=name,compute_cap,driver_version", "--format=csv,noheader")
NO_DEVICE = 6
"""Exit code of the tool where the driver answers and has no such GPU."""
WARNING = 14
"""Exit code with a whole answer: the infoROM is damaged."""
PATIENCE_S = 30
ADVICE = "mend the driver, or set CUDA_VISIBLE_DEVICES=-1 to go on as a host without a GPU."


@dataclass(frozen=True)
class Gpu:
    """One GPU; all None stands for a host without."""

    gpu: str | None = None
    compute_capability: str | None = None
    driver: str | None = None


def visible() -> list[Gpu]:
    """GPUs that a program may use here, the one it uses unasked first; empty where there is none.

    `CUDA_VISIBLE_DEVICES` chooses among them, counting as the tool does (`CUDA_DEVICE_ORDER=PCI_BUS_ID`).

    Raises:
        GpuError: the tool is here and fails, so that nobody knows.
    """
    if shutil.which(TOOL) is None:
        return []
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    # CUDA sees those before the first that is none, such as -1
    named = [] if chosen is None else list(takewhile(lambda one: one and not one.startswith("-"), chosen.split(",")))
    lines = _lines() if chosen is None else [line for one in named for line in _lines("--id", one)]
    return [Gpu(*(part.strip() for part in line.rsplit(",", 2))) for line in lines]


def _lines(*arguments: str) -> list[str]:
    try:
        answer = subprocess.run([*QUERY, *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise GpuError(f"{TOOL} has not answered within {PATIENCE_S} s: {ADVICE}") from error
    except OSError as error:
        raise GpuError(f"{TOOL} cannot be run ({error}): {ADVICE}") from error
    if answer.returncode == NO_DEVICE:
        return []
    if answer.returncode and answer.returncode != WARNING:
        said = " ".join(f"{answer.stdout} {answer.stderr}".split())[:300]
        raise GpuError(f"{TOOL} fails with exit code {answer.returncode} ({said or 'and says nothing'}): {ADVICE}")
    return [line for line in answer.stdout.splitlines() if line.count(",") >= 2]
