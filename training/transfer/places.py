"""Where folders go to and come from: an S3 bucket, a web server that takes PUT, a repository of the Hugging Face hub.

A folder there is whole when its `SHA256SUMS` is: that file is emptied before the first file is sent and written after
the last, so a transfer that broke off never looks whole.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from training.errors import TransferError
from training.transfer import http
from training.transfer.addresses import reason, showable
from training.transfer.checksums import NAME

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem  # type: ignore[import-untyped]


class Place(ABC):
    """One folder elsewhere."""

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")
        self.shown = showable(self.uri)

    def close(self) -> None:  # noqa: B027
        """Give connections back."""

    @abstractmethod
    def put(self, folder: Path, names: Sequence[str], sums: str) -> None:
        """Send the files of a folder and then their sums.

        Raises:
            TransferError: one could not be sent; what lies there is then not whole.
        """

    @abstractmethod
    def get(self, name: str, file: Path) -> None:
        """Fetch one file, whole or not at all.

        Raises:
            TransferError: it could not be fetched; `NotThereError` where there is none.
        """


class WebPlace(Place):
    """`https://`: any server that answers GET and, to push, PUT (WebDAV, an artifact store, a signed proxy)."""

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self._client = http.open_client(uri)

    def close(self) -> None:
        """As `Place.close`."""
        self._client.close()

    def put(self, folder: Path, names: Sequence[str], sums: str) -> None:
        """As `Place.put`."""
        http.send(self._client, f"{self.uri}/{NAME}", b"")
        for name in names:
            http.send(self._client, f"{self.uri}/{name}", folder / name)
        http.send(self._client, f"{self.uri}/{NAME}", sums.encode())

    def get(self, name: str, file: Path) -> None:
        """As `Place.get`; goes on where an earlier attempt stopped."""
        http.fetch(self._client, f"{self.uri}/{name}", file, name)


class BucketPlace(Place):
    """`s3://BUCKET/PREFIX`; credentials, region and endpoint as boto3 finds them (AWS_... variables, ~/.aws)."""

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self._path = self.uri.removeprefix("s3://")
        if "/" not in self._path:
            raise TransferError(f"{self.shown}: write s3://BUCKET/PREFIX, so that the bucket can hold several folders.")

    def put(self, folder: Path, names: Sequence[str], sums: str) -> None:
        """As `Place.put`."""
        try:
            files = self._files()
            files.pipe_file(f"{self._path}/{NAME}", b"")
            for name in names:
                files.put_file(str(folder / name), f"{self._path}/{name}")
            files.pipe_file(f"{self._path}/{NAME}", sums.encode())
        except Exception as error:
            raise self._failed(error) from error

    def get(self, name: str, file: Path) -> None:
        """As `Place.get`."""
        part = file.with_name(file.name + ".part")
        try:
            self._files().get_file(f"{self._path}/{name}", str(part))
        except FileNotFoundError as error:
            raise http.NotThereError(f"{self.shown}/{name} is not there: check the address.") from error
        except Exception as error:
            raise self._failed(error) from error
        part.replace(file)

    def _files(self) -> AbstractFileSystem:
        import fsspec

        limits = {
            "connect_timeout": http.CONNECT_S,
            "read_timeout": http.STALL_S,
            "retries": {"max_attempts": http.ATTEMPTS, "mode": "standard"},
        }
        return fsspec.filesystem("s3", config_kwargs=limits)

    def _failed(self, error: Exception) -> TransferError:
        """botocore raises its own errors, s3fs OSErrors made of them, and neither has one base."""
        return TransferError(
            f"{self.shown}: {reason(error)}. Check the bucket and AWS_... credentials, then try again."
        )


@contextmanager
def open_place(uri: str) -> Iterator[Place]:
    """The place of an address.

    Raises:
        TransferError: a scheme that is none of s3, https, http and hf, or an address that cannot be used.
    """
    place = _place(uri)
    try:
        yield place
    finally:
        place.close()


def _place(uri: str) -> Place:
    scheme = uri.partition("://")[0]
    if scheme == "s3":
        return BucketPlace(uri)
    if scheme in {"http", "https"}:
        return WebPlace(uri)
    if scheme == "hf":
        from training.transfer.hub import HubPlace

        return HubPlace(uri)
    raise TransferError(f"{showable(uri)}: write s3://BUCKET/PREFIX, https://MACHINE/PATH or hf://OWNER/NAME.")
