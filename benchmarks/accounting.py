"""Processor time and memory of a process with all that it has started, read from the system."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def tree(roots: Sequence[int]) -> list[int]:
    """Process ids of `roots` and of all their descendants; those that ended meanwhile are left out."""
    found: list[int] = []
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        for file in Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                waiting += [int(child) for child in file.read_text().split()]
    return found


def cpu_s(pids: Sequence[int]) -> float:
    """Processor time that these processes have used so far, seconds, with that of children they have waited for."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += sum(int(field) for field in fields[11:15])
    return total * _TICK_S


def memory_mib(pids: Sequence[int]) -> dict[str, float]:
    """`pss`: with each shared page divided among those that share it; `rss`: with each counted in every process."""
    kib = {"pss": 0, "rss": 0}
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                name, _, rest = line.partition(":")
                if name.lower() in kib:
                    kib[name.lower()] += int(rest.split()[0])
    return {name: value / 1024 for name, value in kib.items()}
