"""Tokens of the public page: short-lived, signed, worth a prediction from the page's own origin and nothing else."""

import base64
import binascii
import hmac
import re
import secrets
import time

from gateway.access.secret import derive_key

PREFIX = "page_"
_WELL_FORMED = re.compile(r"page_[A-Za-z0-9_-]{64}")
_EXPIRY_BYTES, _NONCE_BYTES = 8, 8


class PageTokens:
    """Issues and checks tokens; every process with the same secret understands them."""

    def __init__(self, secret: bytes, lifetime_s: int) -> None:
        self._key = derive_key(secret, "page token")
        self.lifetime_s = lifetime_s

    def issue(self) -> str:
        """A new token, valid for `lifetime_s` seconds."""
        expires_at = int(time.time()) + self.lifetime_s
        payload = expires_at.to_bytes(_EXPIRY_BYTES, "big") + secrets.token_bytes(_NONCE_BYTES)
        return PREFIX + base64.urlsafe_b64encode(payload + self._signature(payload)).decode()

    def is_valid(self, token: str) -> bool:
        """Whether this installation signed it and it has not expired."""
        if not _WELL_FORMED.fullmatch(token):
            return False
        try:
            decoded = base64.urlsafe_b64decode(token.removeprefix(PREFIX))
        except binascii.Error:
            return False
        payload, signature = decoded[: _EXPIRY_BYTES + _NONCE_BYTES], decoded[_EXPIRY_BYTES + _NONCE_BYTES :]
        authentic = hmac.compare_digest(signature, self._signature(payload))
        return authentic and time.time() < int.from_bytes(payload[:_EXPIRY_BYTES], "big")

    def _signature(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, payload, "sha256")
