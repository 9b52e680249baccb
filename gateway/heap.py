"""How the C library's heap gives memory back, which it would keep once a few large images have been decoded."""

import ctypes

import structlog

log = structlog.get_logger()

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_LARGE_BYTES = 8 * 1024 * 1024
"""A mapping of its own, whose pages are all new, costs 0.25 us for each 4 KB: too much for an ordinary photo."""
_KEPT_FREE_BYTES = 16 * 1024 * 1024


def give_memory_back() -> None:
    """Set it for this process; call it before threads start.

    Left alone, glibc takes the largest block that was ever freed, up to 32 MB, for an ordinary one.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # another C library, which has its own ways
        log.debug("the heap is left as it is")
        return
    set_option(_MMAP_THRESHOLD, _LARGE_BYTES)
    set_option(_TRIM_THRESHOLD, _KEPT_FREE_BYTES)
