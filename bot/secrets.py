"""The token, the gateway's key and the salt: where they come from, and the hashes made with the salt."""

import hashlib
import hmac
import os
import secrets
from base64 import urlsafe_b64encode
from pathlib import Path

from pydantic import SecretStr

from bot.errors import InvalidTokenError, MisconfiguredError
from bot.settings import LEAST_SALT_CHARACTERS, Settings

_SALT_BYTES = 32
_ID_BYTES = 9


def read_token(settings: Settings) -> str:
    """The bot's token.

    Raises:
        InvalidTokenError: there is none, or it has not the form of one.
        MisconfiguredError: its file cannot be read.
    """
    token = _value_or_file(settings.token, settings.token_file, "BOT_TOKEN_FILE")
    number, colon, rest = token.partition(":")
    if not (number.isdecimal() and colon and rest):
        raise InvalidTokenError("There is no token. Set BOT_TOKEN or BOT_TOKEN_FILE to what @BotFather gave you.")
    return token


def read_gateway_key(settings: Settings) -> str | None:
    """The gateway's key; None where there is none.

    Raises:
        MisconfiguredError: its file cannot be read.
    """
    return _value_or_file(settings.gateway_key, settings.gateway_key_file, "BOT_GATEWAY_KEY_FILE") or None


class Hashes:
    """Names for people and answers that tell nobody who they are without the salt."""

    def __init__(self, salt: bytes) -> None:
        self._salt = salt

    @classmethod
    def from_settings(cls, settings: Settings) -> "Hashes":
        """With the salt that is set, or the one in the data folder, which is made the first time.

        Raises:
            MisconfiguredError: the file cannot be read or written, or holds too little.
        """
        salt = settings.salt.get_secret_value()
        return cls(salt.encode() if salt else _kept_salt(settings.data_dir / "bot-salt"))

    def user(self, telegram_id: int) -> str:
        """Hex digest of a person's id, 64 characters."""
        return self._digest(f"user:{telegram_id}").hex()

    def answer(self, update_id: int) -> str:
        """Short id of the answer to an update, 12 characters; the same each time that the update is worked on."""
        return urlsafe_b64encode(self._digest(f"answer:{update_id}")[:_ID_BYTES]).decode()

    def _digest(self, text: str) -> bytes:
        return hmac.digest(self._salt, text.encode(), hashlib.sha256)


def _kept_salt(path: Path) -> bytes:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            draft = path.with_suffix(f".{os.getpid()}")
            draft.write_text(secrets.token_hex(_SALT_BYTES))
            draft.chmod(0o600)
            draft.replace(path)
        salt = path.read_text().strip()
    except OSError as error:
        raise MisconfiguredError(
            f"{path} cannot be used: {error.strerror}. Check BOT_DATA_DIR and its rights."
        ) from error
    if len(salt) < LEAST_SALT_CHARACTERS:  # cut short: hashes made with it would tell who people are
        raise MisconfiguredError(f"{path} holds no salt. Restore it, or delete it: then nobody is known any more.")
    return salt.encode()


def _value_or_file(value: SecretStr, path: Path | None, variable: str) -> str:
    if path is None:
        return value.get_secret_value().strip()
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise MisconfiguredError(
            f"{variable} names {path}, which cannot be read. Check the path and its rights."
        ) from error
