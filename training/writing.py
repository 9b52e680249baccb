"""What a file system refuses, in words: a full disk first of all."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from training.errors import ModelFolderError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
ROOM = "no space is left there. Make room and give the same command again: it goes on where it can"


def is_full(error: BaseException) -> bool:
    """Whether an error says that the disk, or the user's share of it, is full."""
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    return isinstance(error, SafetensorError) and any(f"(os error {number})" in str(error) for number in FULL)


@contextmanager
def writing(place: Path, advice: str = "Give --out a folder you may write to.") -> Iterator[None]:
    """Turn what the file system refuses inside into one error.

    Args:
        place: what is being written.
        advice: what to do about anything but a full disk.

    Raises:
        ModelFolderError: names the place, and what to do.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        said = f"{ROOM}." if is_full(error) else f"{error}. {advice}"
        raise ModelFolderError(f"{place} cannot be written: {said}") from error
