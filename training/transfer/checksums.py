"""`SHA256SUMS`: what a folder holds, in the format of `sha256sum`, so that anybody can check it without this room."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath

from training.errors import ChecksumError

NAME = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_CHUNK = 1 << 20


def sha256_of(file: Path) -> str:
    """sha256 (hex) of a file."""
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def files_of(folder: Path) -> list[str]:
    """Names of all files below a folder, relative, with `/`, sorted; without `SHA256SUMS` itself."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if name != NAME)


def manifest(folder: Path) -> str:
    """The lines `sha256  name` of all files below a folder."""
    return "".join(f"{sha256_of(folder / name)}  {name}\n" for name in files_of(folder))


def parse_manifest(text: str, source: str) -> dict[str, str]:
    """Name → sha256.

    Args:
        text: content of a `SHA256SUMS`.
        source: where it comes from, for the message.

    Raises:
        ChecksumError: it is empty, a line is not of this format, or a name leads outside the folder.
    """
    sums: dict[str, str] = {}
    for line in text.splitlines():
        found = _LINE.fullmatch(line)
        if not found:
            raise ChecksumError(f"{NAME} of {source} is damaged: push the folder again.")
        name = PurePosixPath(found[2])
        if name.is_absolute() or ".." in name.parts or "\\" in found[2]:
            raise ChecksumError(f"{NAME} of {source} names {found[2]!r}, outside the folder: do not trust that place.")
        sums[name.as_posix()] = found[1]
    if not sums:
        raise ChecksumError(f"{NAME} of {source} is empty: push the folder again.")
    return sums


def verify(folder: Path, sums: dict[str, str], source: str) -> None:
    """Compare a folder with its sums.

    Raises:
        ChecksumError: names the files that are missing or differ.
    """
    wrong = [
        name for name, digest in sums.items() if not (folder / name).is_file() or sha256_of(folder / name) != digest
    ]
    if wrong:
        raise ChecksumError(
            f"{', '.join(wrong[:5])} from {source} {'is' if len(wrong) == 1 else 'are'} not what {NAME} says: pull again; "
            "if it stays so, push the folder again."
        )
