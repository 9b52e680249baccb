"""What figures were taken on, and how progress and spreads are written."""

import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

INSTRUCTIONS = ("avx2", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8")


def say(line: str) -> None:
    """Progress goes to standard error."""
    sys.stderr.write(f"bench: {line}\n")
    sys.stderr.flush()


def cores() -> int:
    """Cores that this process, and so all that it starts, may run on."""
    return len(os.sched_getaffinity(0))


def hardware() -> dict[str, str]:
    """What the figures were taken on: processor, memory, system, versions, commit."""
    facts = Path("/proc/cpuinfo").read_text()
    model = next((line.split(":")[1].strip() for line in facts.splitlines() if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return {
        "processor": f"{cores()} cores of {model or platform.processor()}",
        "instructions": ", ".join(flag for flag in INSTRUCTIONS if flag in facts),
        "memory": f"{memory:.0f} GiB",
        "system": f"Linux {platform.release().split('-')[0]}, Python {platform.python_version()}",
        "torch": metadata.version("torch"),
        "commit": commit.stdout.strip() or "unknown",
    }


def spread(values: Sequence[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):6.2f}  ({min(values):.2f}-{max(values):.2f})"
