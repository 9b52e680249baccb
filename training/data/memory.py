"""How much memory decoded photos may fill."""

from __future__ import annotations

import os
from pathlib import Path

SHARE = 0.25
"""Of this machine's memory, or of what its container may use."""
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def fits_memory(photos: int, cache_size: int) -> bool:
    """Whether uint8 4:3 photos whose shorter side has `cache_size` pixels fill at most a quarter of the memory."""
    return photos * cache_size * cache_size * 4 <= SHARE * memory_bytes()


def memory_bytes() -> int:
    """Bytes of memory that this process may use: the machine's, or its container's limit."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in map(Path, _LIMITS):
        if path.is_file() and (limit := path.read_text().strip()).isdigit():
            total = min(total, int(limit))
    return total
