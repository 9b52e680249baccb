"""JSON Web Tokens that another service issues; verified by PyJWT, one algorithm, one issuer, one audience."""

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from gateway.access.caller import Scope
from gateway.access.scopes import known_scopes
from gateway.errors import InvalidAccessSettingsError, Unauthenticated
from gateway.settings import Settings

_MIN_HMAC_BYTES = 32
_MIN_RSA_BITS = 2048
_MAX_TOKEN_CHARACTERS = 8192
_MAX_SUBJECT_CHARACTERS = 255
_REASONS: dict[type[jwt.InvalidTokenError], str] = {
    jwt.ExpiredSignatureError: "has expired",
    jwt.ImmatureSignatureError: "is not valid yet",
    jwt.InvalidAudienceError: "is meant for another service (aud)",
    jwt.InvalidIssuerError: "is from an issuer that is not accepted here (iss)",
    jwt.MissingRequiredClaimError: "lacks one of the claims exp, iss, aud and sub",
}


class WebTokens:
    """Verifies tokens with the key material that the settings name."""

    def __init__(self, settings: Settings) -> None:
        """Read the key material.

        Raises:
            InvalidAccessSettingsError: a setting is missing or contradicts another, or the key is weak or no key.
        """
        self._algorithm = settings.jwt_algorithm
        if not settings.jwt_issuer or not settings.jwt_audience:
            raise InvalidAccessSettingsError("GATEWAY_JWT_ALGORITHM needs GATEWAY_JWT_ISSUER and GATEWAY_JWT_AUDIENCE.")
        material = _key_material(settings)
        self._key = _hmac_key(material) if self._algorithm == "HS256" else _rsa_key(material)
        self._issuer = settings.jwt_issuer
        self._audience = settings.jwt_audience
        self._leeway_s = settings.jwt_leeway_s

    def verify(self, token: str) -> tuple[str, frozenset[Scope]]:
        """Subject and scopes of a token; scopes that are unknown here are passed over.

        Raises:
            Unauthenticated: it is not one that this gateway accepts now.
        """
        try:
            if len(token) > _MAX_TOKEN_CHARACTERS:
                raise jwt.InvalidTokenError
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[self._algorithm],
                issuer=self._issuer,
                audience=self._audience,
                leeway=self._leeway_s,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.InvalidTokenError as error:
            reason = _REASONS.get(type(error), "is not one that is accepted here")
            raise Unauthenticated(f"The token {reason}. Get a new one from its issuer.", sent=True) from None
        subject, granted = claims["sub"], claims.get("scope", "")
        if not 0 < len(subject) <= _MAX_SUBJECT_CHARACTERS or not subject.isprintable():
            raise Unauthenticated("The token's subject (sub) is empty, too long, or not printable.", sent=True)
        words = granted.split() if isinstance(granted, str) else []
        return subject, known_scopes(words)


def web_tokens(settings: Settings) -> WebTokens | None:
    """A verifier where tokens are set up, else None.

    Raises:
        InvalidAccessSettingsError: they are set up by half, or with a key that cannot be used.
    """
    if settings.jwt_algorithm:
        return WebTokens(settings)
    if settings.jwt_key.get_secret_value() or settings.jwt_key_file or settings.jwt_issuer or settings.jwt_audience:
        raise InvalidAccessSettingsError("Settings of tokens are there, but not GATEWAY_JWT_ALGORITHM: HS256 or RS256.")
    return None


def _key_material(settings: Settings) -> bytes:
    given = settings.jwt_key.get_secret_value().encode()
    if bool(given) == bool(settings.jwt_key_file):
        raise InvalidAccessSettingsError("Give the key of tokens either as GATEWAY_JWT_KEY or as GATEWAY_JWT_KEY_FILE.")
    try:
        return given or settings.jwt_key_file.read_bytes().strip()  # type: ignore[union-attr]
    except OSError as error:
        raise InvalidAccessSettingsError(
            f"GATEWAY_JWT_KEY_FILE cannot be read: {settings.jwt_key_file} ({error.strerror})."
        ) from error


def _hmac_key(material: bytes) -> bytes:
    if len(material) < _MIN_HMAC_BYTES or b"-----BEGIN" in material:
        raise InvalidAccessSettingsError(
            f"HS256 needs a shared secret of at least {_MIN_HMAC_BYTES} bytes, not a PEM key. For a public key use RS256."
        )
    return material


def _rsa_key(material: bytes) -> RSAPublicKey:
    """The public key; a private one is refused, since it has no business here."""
    try:
        key = load_pem_public_key(material)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPublicKey) or key.key_size < _MIN_RSA_BITS:
        raise InvalidAccessSettingsError(
            f"RS256 needs the issuer's public RSA key in PEM (-----BEGIN PUBLIC KEY-----), at least {_MIN_RSA_BITS} bits."
        )
    return key
