"""Push and pull of folders, checksummed at both ends."""

from __future__ import annotations

import shutil
from pathlib import Path

from training.errors import ModelFolderError, TransferError
from training.transfer import checksums
from training.transfer.http import NotThereError
from training.transfer.places import Place, open_place

NEEDED = ("config.json", "model.safetensors", "classes.json", "validation.npz", "report.json")


def push(folder: Path, uri: str) -> int:
    """Send a trained-model folder; returns the number of files.

    Args:
        folder: a whole one.
        uri: `s3://`, `https://` or `hf://`, see `training.transfer.places`.

    Raises:
        ModelFolderError: the folder lacks a file.
        TransferError: the place refuses, or broke off.
    """
    if missing := [name for name in NEEDED if not (folder / name).is_file()]:
        raise ModelFolderError(f"{folder} lacks {', '.join(missing)}: give --model a folder that `fit` wrote.")
    with open_place(uri) as place:
        names = checksums.files_of(folder)
        place.put(folder, names, checksums.manifest(folder))
    return len(names)


def pull(uri: str, folder: Path) -> int:
    """Fetch a folder that was pushed; it appears under its name only when every checksum is right.

    What an attempt fetched before it broke off is kept in `.NAME.partial` beside it and not fetched again.

    Returns:
        The number of files.

    Raises:
        TransferError: the folder exists, the place holds none, or broke off.
        ChecksumError: a file is not what was pushed.
    """
    if folder.exists():
        raise TransferError(f"{folder} exists: give --out another name, or remove it first.")
    scratch = folder.with_name(f".{folder.name}.partial")
    try:
        with open_place(uri) as place:
            scratch.mkdir(parents=True, exist_ok=True)
            sums = _read_sums(place, scratch)
            for name, digest in sums.items():
                file = scratch / name
                if not (file.is_file() and checksums.sha256_of(file) == digest):
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.unlink(missing_ok=True)
                    place.get(name, file)
            _keep_only(scratch, sums)
            checksums.verify(scratch, sums, place.shown)
        scratch.rename(folder)
    except OSError as error:
        raise TransferError(f"{folder} cannot be written: {error}. Give --out a folder you may write to.") from error
    return len(sums)


def _read_sums(place: Place, scratch: Path) -> dict[str, str]:
    listing = scratch / checksums.NAME
    for name in (listing.name, f"{listing.name}.part", f"{listing.name}.etag"):
        (scratch / name).unlink(missing_ok=True)
    try:
        place.get(checksums.NAME, listing)
    except NotThereError as error:
        raise TransferError(f"{place.shown} holds no {checksums.NAME}, so no folder was pushed there.") from error
    return checksums.parse_manifest(listing.read_text(encoding="utf-8", errors="replace"), place.shown)


def _keep_only(scratch: Path, sums: dict[str, str]) -> None:
    for path in sorted(scratch.rglob("*"), reverse=True):
        name = path.relative_to(scratch).as_posix()
        if path.is_dir() and not any(known.startswith(f"{name}/") for known in sums):
            shutil.rmtree(path)
        elif not path.is_dir() and name not in sums:
            path.unlink()
