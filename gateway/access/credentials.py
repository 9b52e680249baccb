"""What a request carries to say who sends it: one credential in a header, perhaps the name of an end user."""

from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.types import Scope

from gateway.errors import CredentialInUrl, InvalidRequest, Unauthenticated

_IN_URL = frozenset({"api_key", "apikey", "api-key", "x-api-key", "key", "token", "access_token", "authorization"})
_MAX_END_USER_CHARACTERS = 128
_WANTED = frozenset({b"authorization", b"x-api-key", b"x-end-user"})


@dataclass(frozen=True, slots=True)
class Presented:
    """Credential and end user as they were sent, neither checked; never logged.

    Attributes:
        credential: key or token, None where none was sent.
        end_user: text of `X-End-User`, 1 to 128 characters, None where it was not sent.
    """

    credential: str | None
    end_user: str | None


def read_credentials(scope: Scope) -> Presented:
    """Find them in an HTTP scope.

    Raises:
        Unauthenticated: several credentials, or not in a form that is known.
        InvalidRequest: `X-End-User` is empty, too long, not text, or there twice.
    """
    found: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        if name in _WANTED:
            found.setdefault(name, []).append(value)
    if not found:
        return Presented(None, None)
    credentials = [_bearer(value) for value in found.get(b"authorization", ())]
    credentials += [_text(value) for value in found.get(b"x-api-key", ())]
    if len(credentials) > 1:
        raise Unauthenticated("Send one credential, in one header: Authorization or X-API-Key.", sent=True)
    return Presented(
        credentials[0] if credentials else None,
        _end_user(found[b"x-end-user"]) if b"x-end-user" in found else None,
    )


def refuse_in_url(query: bytes) -> None:
    """Refuse a query string in which a parameter is named like a credential.

    Raises:
        CredentialInUrl
    """
    for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name.lower() in _IN_URL:
            raise CredentialInUrl(
                f"Send the credential in the header Authorization or X-API-Key, not as {name.lower()!r} in the address, "
                "where logs and histories keep it. If it was a real one, consider it leaked: revoke it and make another."
            )


def _bearer(value: bytes) -> str:
    scheme, _, credential = _text(value).partition(" ")
    if scheme.lower() != "bearer" or not credential.strip():
        raise Unauthenticated("Write the header as: Authorization: Bearer <key or token>.", sent=True)
    return credential.strip()


def _text(value: bytes) -> str:
    try:
        return value.decode("ascii").strip()
    except UnicodeDecodeError:
        raise Unauthenticated("The credential holds characters that no key or token has.", sent=True) from None


def _end_user(values: list[bytes]) -> str:
    try:
        (name,) = (value.decode().strip() for value in values)
    except ValueError:  # several, or not UTF-8
        name = ""
    if not 0 < len(name) <= _MAX_END_USER_CHARACTERS or not name.isprintable():
        raise InvalidRequest(f"X-End-User must be one text of 1 to {_MAX_END_USER_CHARACTERS} characters in UTF-8.")
    return name
