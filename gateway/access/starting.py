"""What must hold before the gateway listens: strangers only where callers can be told apart."""

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from gateway.access.addresses import is_loopback
from gateway.access.key_store import read_keys
from gateway.access.rates import RateLimits
from gateway.access.secret import load_secret
from gateway.access.web_tokens import web_tokens
from gateway.errors import DatabaseUnreachableError, NoCredentialsError
from gateway.settings import Settings

MAKE_A_KEY = "python -m gateway keys create --name NAME --scope predict"


def require_credentials_configured(settings: Settings, engine: Engine) -> None:
    """Refuse to start where other machines could ask and nobody has a credential; call it after `upgrade`.

    Raises:
        NoCredentialsError: the host is not loopback, and there is neither an active key nor a setting for tokens.
        InvalidAccessSettingsError: the secret, or a setting of tokens or limits, cannot be used.
        DatabaseUnreachableError: whether there is a key cannot be known.
    """
    load_secret(settings)
    RateLimits(settings.redis_url.get_secret_value())
    tokens = web_tokens(settings)
    if is_loopback(settings.host):
        return
    if settings.auth == "open":
        raise NoCredentialsError(
            f"GATEWAY_AUTH=open is for a loopback host alone, and others can reach GATEWAY_HOST={settings.host}: "
            "listen on 127.0.0.1, or leave GATEWAY_AUTH out."
        )
    if tokens is None and not _any_active_key(engine):
        raise NoCredentialsError(
            f"Others can reach GATEWAY_HOST={settings.host}, and there is no active API key: make one by '{MAKE_A_KEY}', "
            "or set up tokens (GATEWAY_JWT_ALGORITHM), or listen on 127.0.0.1."
        )


def _any_active_key(engine: Engine) -> bool:
    try:
        return any(key.revoked_at is None for key in read_keys(engine))
    except DBAPIError as error:
        raise DatabaseUnreachableError(
            f"The keys cannot be read from {engine.url.render_as_string()}. Check GATEWAY_DATABASE_URL and that it runs."
        ) from error
