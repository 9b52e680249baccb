"""Files over HTTP: resumed where they broke off, with timeouts, credentials only where they are safe."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
from tqdm import tqdm  # type: ignore[import-untyped]

from training.errors import TransferError
from training.transfer.addresses import reason, showable

TOKEN = "TRAINING_HTTP_TOKEN"  # noqa: S105
"""Environment variable with a bearer token for private places."""
CONNECT_S, STALL_S = 10.0, 60.0
"""Seconds to connect, and without a byte in either direction."""
ATTEMPTS = 4
_CHUNK = 1 << 20
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_DENIED = {401, 403}


def open_client(url: str) -> httpx2.Client:
    """A client for the machine of `url`, with its token where `TRAINING_HTTP_TOKEN` is set.

    Raises:
        TransferError: the address is none, or a token or password would go unencrypted to another machine.
    """
    try:
        parts = urlsplit(url)
        safe, secret = parts.scheme == "https" or parts.hostname in _LOOPBACK, parts.password
    except ValueError:
        raise TransferError(f"{showable(url)} is no address: write https://MACHINE/PATH.") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise TransferError(f"{showable(url)} is no address: write https://MACHINE/PATH.")
    token = os.environ.get(TOKEN, "")
    if (token or secret) and not safe:
        raise TransferError(f"{showable(url)} is not encrypted: use https://, or take {TOKEN} and the password away.")
    headers = {"Authorization": f"Bearer {token}"} if token and not secret else {}
    return httpx2.Client(headers=headers, timeout=httpx2.Timeout(STALL_S, connect=CONNECT_S), follow_redirects=True)


def fetch(client: httpx2.Client, url: str, file: Path, what: str = "") -> None:
    """Download `url` into `file`; what came before the connection broke is kept in `file.part` and not asked for again.

    Args:
        client: of `open_client`.
        url: what to get.
        file: appears only when all of it is there; its folder exists.
        what: a name for the progress bar; empty: none.

    Raises:
        TransferError: refused, not there, or the connection broke `ATTEMPTS` times without a byte in between.
    """
    part, seal = file.with_name(file.name + ".part"), file.with_name(file.name + ".etag")
    failures = 0
    while True:
        before = _size(part)
        try:
            with said(url):
                _receive(client, url, part, seal, what)
            break
        except _BrokenOffError as error:
            failures = 1 if _size(part) > before else failures + 1
            if failures == ATTEMPTS:
                raise TransferError(
                    f"{showable(url)} broke off: {error}. The same command again goes on where it stopped."
                ) from error
            time.sleep(failures / 2)
    part.replace(file)
    seal.unlink(missing_ok=True)


def send(client: httpx2.Client, url: str, content: Path | bytes) -> None:
    """PUT a file or some bytes.

    Raises:
        TransferError: refused, or the connection broke.
    """
    with said(url):
        if isinstance(content, bytes):
            checked(client.put(url, content=content))
            return
        with content.open("rb") as opened:
            headers = {"Content-Length": str(content.stat().st_size)}
            checked(client.put(url, content=iter(lambda: opened.read(_CHUNK), b""), headers=headers))


class _BrokenOffError(Exception):
    """Less came than was promised."""


def _receive(client: httpx2.Client, url: str, part: Path, seal: Path, what: str) -> None:
    have, mark = _size(part), seal.read_text() if seal.exists() else ""
    headers = {"Range": f"bytes={have}-", "If-Range": mark} if have and mark else {}
    try:
        with client.stream("GET", url, headers={"Accept-Encoding": "identity", **headers}) as answer:
            if answer.status_code == httpx2.codes.RANGE_NOT_SATISFIABLE:
                part.unlink()
                raise _BrokenOffError("it had changed meanwhile")
            checked(answer)
            resumed = answer.status_code == httpx2.codes.PARTIAL_CONTENT
            length = int(answer.headers.get("content-length", 0)) or None
            whole = length + (have if resumed else 0) if length else None
            strong = answer.headers.get("etag", "")
            seal.write_text("" if strong.startswith("W/") else strong or answer.headers.get("last-modified", ""))
            quiet = not (what and sys.stderr.isatty())
            start = have if resumed else 0
            bar = tqdm(total=whole, initial=start, unit="B", unit_scale=True, desc=what, disable=quiet)
            with part.open("ab" if resumed else "wb") as opened, bar:
                for chunk in answer.iter_raw():  # as it comes: what came before a break is kept
                    opened.write(chunk)
                    bar.update(len(chunk))
    except (httpx2.TransportError, httpx2.StreamError) as error:
        raise _BrokenOffError(reason(error)) from error
    if whole is not None and _size(part) != whole:
        raise _BrokenOffError(f"{_size(part)} of {whole} bytes came")


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def checked(answer: httpx2.Response) -> httpx2.Response:
    """The answer, where it is a good one.

    Raises:
        TransferError: what the status means and what to do.
    """
    if answer.is_success:
        return answer
    shown = showable(answer.url)
    if answer.status_code in _DENIED:
        raise TransferError(f"{shown} answers {answer.status_code}: set {TOKEN} to a token that may use it.")
    if answer.status_code == httpx2.codes.NOT_FOUND:
        raise NotThereError(f"{shown} is not there (404): check the address.")
    raise TransferError(f"{shown} answers {answer.status_code} {answer.reason_phrase}: try again later.")


class NotThereError(TransferError):
    """The server knows no such file."""


@contextmanager
def said(url: str) -> Iterator[None]:
    """Turn what the client raises inside into one error, without credentials.

    Raises:
        TransferError: the address, and why.
    """
    try:
        yield
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError) as error:
        raise TransferError(f"{showable(url)}: {reason(error)}. Try again.") from error
