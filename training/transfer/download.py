"""Photos from elsewhere: an archive at a plain address, or a Kaggle competition."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from training.errors import ChecksumError, TransferError
from training.transfer import http
from training.transfer.addresses import reason, showable
from training.transfer.archives import unpack
from training.transfer.checksums import sha256_of


def download_archive(url: str, folder: Path, sha256: str = "") -> str:
    """Download an archive and unpack it; a download that broke off goes on where it stopped.

    Args:
        url: `https://...` of a zip or tar.
        folder: appears only when all of it is there; must not exist.
        sha256: of the archive, hex; empty: not compared.

    Returns:
        The archive's sha256, to be given the next time.

    Raises:
        TransferError: the folder exists, or the download failed.
        ChecksumError: the archive is another one; it is removed.
        ArchiveError: it cannot be unpacked; it stays in `.NAME.download` beside the folder.
    """
    _is_new(folder)
    store = folder.with_name(f".{folder.name}.download")
    archive = store / (Path(unquote(urlsplit(url).path)).name or "archive")
    try:
        store.mkdir(parents=True, exist_ok=True)
        if not archive.exists():
            with http.open_client(url) as client:
                http.fetch(client, url, archive, archive.name)
        found = sha256_of(archive)
        if sha256 and found != sha256.lower():
            archive.unlink()
            raise ChecksumError(f"{showable(url)} has sha256 {found}, not {sha256}: it is another file; check both.")
        unpack(archive, folder)
    except OSError as error:
        raise TransferError(f"{folder} cannot be written: {error}. Give --out a folder you may write to.") from error
    shutil.rmtree(store)
    return found


def download_competition(name: str, folder: Path) -> None:
    """Download the files of a Kaggle competition, whose rules you have accepted on its page.

    Args:
        name: last part of the competition's address.
        folder: appears only when all of it is there; must not exist.

    Raises:
        TransferError: no credentials, rules not accepted, no such competition, or the connection broke.
    """
    _is_new(folder)
    import kagglehub  # type: ignore[import-untyped]
    import requests
    from kagglehub.exceptions import (  # type: ignore[import-untyped]
        CredentialError,
        DataCorruptionError,
        UnauthenticatedError,
    )

    scratch = folder.with_name(f".{folder.name}.download")
    credentials = "create a token in your Kaggle settings and set KAGGLE_API_TOKEN, or KAGGLE_USERNAME and KAGGLE_KEY"
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        # in a cache of its own Kaggle's client goes on with what is there; into a chosen folder it does not
        with _with_timeouts(requests.Session), _environment("KAGGLEHUB_CACHE", str(scratch)):
            Path(kagglehub.competition_download(name)).rename(folder)
    except (UnauthenticatedError, CredentialError) as error:
        raise TransferError(f"Kaggle wants to know who you are: {credentials}.") from error
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        advice = {
            401: f"{credentials}",
            403: f"accept the rules at https://www.kaggle.com/competitions/{name}/rules, and {credentials}",
            404: "check the competition's name, the last part of its address",
        }.get(status, "try again later")
        raise TransferError(f"Kaggle answers {status} for {name}: {advice}.") from error
    except (requests.RequestException, DataCorruptionError, ValueError, OSError) as error:
        raise TransferError(
            f"Kaggle, {name}: {reason(error)}. The same command again goes on where it stopped."
        ) from error
    shutil.rmtree(scratch)


def _is_new(folder: Path) -> None:
    if folder.exists():
        raise TransferError(f"{folder} exists: give --out another name, or remove it first.")


@contextmanager
def _with_timeouts(session: Any) -> Iterator[None]:
    """Give each request of a `requests.Session` a timeout: Kaggle's client sends its first one without."""
    plain = session.send

    def send(self: Any, request: Any, **settings: Any) -> Any:
        settings["timeout"] = settings.get("timeout") or (http.CONNECT_S, http.STALL_S)
        return plain(self, request, **settings)

    session.send = send
    try:
        yield
    finally:
        session.send = plain


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
