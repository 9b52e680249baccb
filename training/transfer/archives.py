"""Archives of photos: told by their first bytes, unpacked without leaving their folder."""

from __future__ import annotations

import shutil
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from training.errors import ArchiveError

_RAR, _SEVEN = b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c"
_SPARE = 1 << 28
"""Bytes that must be left on the disk."""


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip or a tar (plain, gz, bz2, xz) into a new folder; a single folder at its top becomes the folder.

    Args:
        archive: stays as it is.
        folder: must not exist; appears only when all of it is there.

    Raises:
        ArchiveError: RAR, 7z or another kind; damaged; encrypted; larger than the disk; or an entry that would land
            outside the folder or is no plain file.
    """
    scratch = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        if zipfile.is_zipfile(archive):
            _unzip(archive, scratch)
        elif tarfile.is_tarfile(archive):
            _untar(archive, scratch)
        else:
            raise ArchiveError(_unknown(archive))
        tops = list(scratch.iterdir())
        if not tops:
            raise ArchiveError(f"{archive} is empty: check the address, and remove it.")
        (tops[0] if len(tops) == 1 and tops[0].is_dir() else scratch).rename(folder)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise ArchiveError(f"{archive} cannot be unpacked: {error}. Remove it to download it again.") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        entries = opened.infolist()
        for entry in entries:
            name, kind = PurePosixPath(entry.filename.replace("\\", "/")), stat.S_IFMT(entry.external_attr >> 16)
            if name.is_absolute() or ".." in name.parts or ":" in name.parts[0]:
                raise ArchiveError(f"{archive.name} holds {entry.filename!r}, which leads outside: do not trust it.")
            if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
                raise ArchiveError(f"{archive.name} holds {entry.filename!r}, a link or device: do not trust it.")
            if entry.flag_bits & 1:
                raise ArchiveError(f"{archive.name} is encrypted: unpack it yourself and give the folder to --data.")
        _fits(archive, folder, sum(entry.file_size for entry in entries))
        opened.extractall(folder)  # noqa: S202


def _untar(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as opened:
        members = opened.getmembers()
        for member in members:
            if not (member.isfile() or member.isdir()):
                raise ArchiveError(f"{archive.name} holds {member.name!r}, a link or device: do not trust it.")
        _fits(archive, folder, sum(member.size for member in members))
        try:
            opened.extractall(folder, filter="data")
        except tarfile.FilterError as error:
            raise ArchiveError(
                f"{archive.name} holds an entry that leads outside: {error}. Do not trust it."
            ) from error


def _fits(archive: Path, folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size + _SPARE > free:
        raise ArchiveError(
            f"{archive.name} unpacks to {size / 1e9:.1f} GB and {free / 1e9:.1f} GB are free: make room, or give --out a "
            "folder on another disk."
        )


def _unknown(archive: Path) -> str:
    with archive.open("rb") as opened:
        first = opened.read(8)
    if first.startswith(_RAR):
        return (
            f"{archive} is a RAR archive, which needs a tool of its own: install bsdtar (Debian: libarchive-tools), then "
            f"`mkdir DIR && bsdtar -xf {archive} -C DIR`, and give DIR to --data."
        )
    if first.startswith(_SEVEN):
        return f"{archive} is a 7z archive: `7z x {archive} -oDIR` (Debian: 7zip), and give DIR to --data."
    return f"{archive} is neither zip nor tar (its first bytes are {first!r}): check the address, and remove it."
