"""The secret of this installation, and what is derived from it: hashes of who asked, keys that sign."""

import hmac
import os
import secrets
from pathlib import Path

from gateway.errors import InvalidAccessSettingsError
from gateway.settings import Settings

_MIN_LENGTH = 32
_FILE_NAME = "secret"


def load_secret(settings: Settings) -> bytes:
    """The secret from the settings, else from `data_dir/secret`, which the first process makes with mode 0600.

    Raises:
        InvalidAccessSettingsError: it is too short to withstand guessing, or its file cannot be read or made.
    """
    given = settings.secret.get_secret_value()
    if given:
        return _long_enough(given.encode(), "GATEWAY_SECRET")
    path = settings.data_dir / _FILE_NAME
    try:
        if not path.exists():
            _make_once(path)
        return _long_enough(path.read_bytes().strip(), str(path))
    except OSError as error:
        raise InvalidAccessSettingsError(
            f"The secret in {path} cannot be read or made ({error.strerror}). "
            "Make the folder writable, or set GATEWAY_SECRET."
        ) from error


def keyed_hash(secret: bytes, text: str) -> str:
    """HMAC-SHA256 of `text` as 32 hex digits: tells people apart without saying who they are."""
    return hmac.digest(secret, b"hash:" + text.encode(), "sha256").hex()[:32]


def derive_key(secret: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose; what is signed for one is worth nothing for another."""
    return hmac.digest(secret, b"key:" + purpose.encode(), "sha256")


def _make_once(path: Path) -> None:
    """Write a new secret; several processes may start at once, and all must end up with the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(aside, path)  # fails where another process was first, and never shows half a file
        except FileExistsError:
            return
    finally:
        aside.unlink()


def _long_enough(secret: bytes, source: str) -> bytes:
    if len(secret) < _MIN_LENGTH:
        raise InvalidAccessSettingsError(
            f"The secret in {source} is shorter than {_MIN_LENGTH} characters. "
            "Make one by: python -c 'import secrets; print(secrets.token_urlsafe(32))'."
        )
    return secret
