"""Who may ask, and how often: from the headers of a request to a `Caller`, or to a problem."""

from dataclasses import replace

from sqlalchemy import Engine
from starlette.requests import Request

from gateway.access import key_store, page_tokens
from gateway.access.addresses import ClientAddresses, is_loopback, shows_proxy
from gateway.access.caller import Caller, Scope
from gateway.access.credentials import Presented, read_credentials
from gateway.access.key_ring import KeyRing
from gateway.access.origins import is_local, same_origin
from gateway.access.rates import Policy, RateLimits, Standing
from gateway.access.secret import keyed_hash, load_secret
from gateway.access.web_tokens import web_tokens
from gateway.errors import CredentialsUnknown, Forbidden, RateLimited, Unauthenticated
from gateway.settings import Settings

_HOW = "Send an API key or a token in the header Authorization: Bearer <key>."
_PREDICT = frozenset({Scope.PREDICT})
_EVERYTHING = frozenset(Scope)


class Access:
    """Admits callers and counts what they ask for; shared by all requests of the process."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        """Nothing is read or connected yet but the secret and the key of tokens.

        Raises:
            InvalidAccessSettingsError: the secret, or a setting of tokens or limits, cannot be used.
        """
        self._secret = load_secret(settings)
        self._web_tokens = web_tokens(settings)
        self._page_tokens = page_tokens.PageTokens(self._secret, settings.page_token_s) if settings.page else None
        self._addresses = ClientAddresses(settings)
        self._keys = KeyRing(engine, settings.keys_interval_s)
        self._may_open = is_loopback(settings.host) and settings.auth != "required"
        self._always_open = self._may_open and settings.auth == "open"
        self._open_until_configured = self._may_open and not self._web_tokens and not settings.trusted_proxies
        self._limits = RateLimits(settings.redis_url.get_secret_value())
        self._by_identity = Policy.of("photos", settings.rate_limit)
        self._by_address = Policy.of("photos-by-address", settings.page_rate_limit)
        self._requests = Policy.of("requests", settings.request_rate_limit)
        self._failures = Policy.of("invalid-credentials", settings.auth_failure_limit)

    async def refresh(self) -> None:
        """Read the keys once; call it before the first request."""
        await self._keys.refresh()

    async def follow(self) -> None:
        """Follow the keys in the database, until cancelled."""
        await self._keys.follow()

    async def close(self) -> None:
        """Write down which keys were used lately, close the connections to Redis."""
        await self._keys.close()
        await self._limits.close()

    async def admit(self, request: Request, scope: Scope) -> Caller:
        """The sender of a request, who has `scope`.

        Raises:
            InvalidRequest, Unauthenticated, Forbidden, CredentialsUnknown
            RateLimited: too many invalid credentials from this address; valid ones pass all the same.
        """
        address = self._addresses.of(request.scope)
        try:
            presented = read_credentials(request.scope)
            caller = self._caller(request, presented, address)
        except Unauthenticated as refusal:
            if refusal.sent:
                await self._count_failure(address)
            raise
        if scope not in caller.scopes:
            raise Forbidden(f"This needs a credential with the scope {scope}.", scope)
        if presented.end_user is None:
            return caller
        if Scope.DELEGATE not in caller.scopes:
            raise Forbidden("X-End-User needs a key with the scope delegate; leave the header out.", Scope.DELEGATE)
        return replace(caller, end_user=keyed_hash(self._secret, f"end-user:{presented.end_user}"))

    async def charge(self, caller: Caller, cost: int, again: int) -> Standing | None:
        """Count `cost` photos; None for whoever asks an open gateway from its own machine, who is not limited.

        Args:
            again: photos that the caller asks for when it tries again after a refusal.
        """
        if caller.kind in ("key", "token"):
            return await self._limits.take(self._by_identity, caller.identity, cost, again)
        if _is_unlimited(caller):
            return None
        return await self._limits.take(self._by_address, caller.address, cost, again)

    async def count_request(self, caller: Caller) -> Standing | None:
        """Count a request for something else than photos; None as above."""
        return None if _is_unlimited(caller) else await self._limits.take(self._requests, caller.identity)

    async def count_address(self, request: Request) -> Standing:
        """Count a request that needs no credential, by the address that it comes from."""
        return await self._limits.take(self._requests, f"address:{self._addresses.of(request.scope)}")

    def issue_page_token(self, request: Request) -> tuple[str, int] | None:
        """A token and its lifetime in seconds; None where the page is off or needs none.

        Raises:
            Forbidden: the request does not come from the gateway's own page.
        """
        if self._page_tokens is None or self._is_open():
            return None
        if not same_origin(request):
            raise Forbidden("Tokens of the page are given to the page alone; other callers need a key.", Scope.PREDICT)
        return self._page_tokens.issue(), self._page_tokens.lifetime_s

    def _is_open(self) -> bool:
        """Whether no credential is needed; once a key was made it stays needed, also after its revocation."""
        if self._always_open:
            return True
        if not self._open_until_configured:
            return False
        if not self._keys.is_read:
            raise CredentialsUnknown("The keys cannot be read from the database yet. Try again in a few seconds.")
        return not self._keys.any_made

    def _caller(self, request: Request, presented: Presented, address: str) -> Caller:
        credential = presented.credential
        if credential is None:
            if not self._is_open():
                raise Unauthenticated(_HOW, sent=False)
            return Caller("open", "open", self._open_scopes(request, address), address)
        if credential.startswith(page_tokens.PREFIX):
            return self._page_caller(request, credential, address)
        if credential.startswith(key_store.PREFIX):
            return self._key_caller(credential, address)
        if self._web_tokens is None:
            raise Unauthenticated(f"This is no API key of this gateway. {_HOW}", sent=True)
        subject, scopes = self._web_tokens.verify(credential)
        return Caller("token", subject, scopes, address)

    def _open_scopes(self, request: Request, address: str) -> frozenset[Scope]:
        """More than predictions only where the settings say so: a proxy on this machine may hide who asks."""
        local = self._always_open and is_loopback(address) and is_local(request) and not shows_proxy(request.scope)
        return _EVERYTHING if local else _PREDICT

    def _key_caller(self, key: str, address: str) -> Caller:
        stored = self._keys.find(key)
        if stored is not None:
            return Caller("key", stored.owner, stored.scopes, address)
        if not self._keys.is_read:
            raise CredentialsUnknown("The keys cannot be read from the database yet. Try again in a few seconds.")
        raise Unauthenticated("This key is unknown or revoked. Ask the operator of the gateway for another.", sent=True)

    def _page_caller(self, request: Request, token: str, address: str) -> Caller:
        if self._page_tokens is None or not self._page_tokens.is_valid(token):
            raise Unauthenticated("The page's token has expired or is none. Reload the page.", sent=True)
        if not same_origin(request):
            raise Unauthenticated("The page's token is worth nothing elsewhere; other callers need a key.", sent=True)
        return Caller("page", "page", _PREDICT, address)

    async def _count_failure(self, address: str) -> None:
        standing = await self._limits.take(self._failures, address)
        if not standing.allowed:
            raise RateLimited(
                "Too many invalid credentials from this address. Wait, and correct the credential meanwhile.",
                standing.retry_after_s,
            )


def _is_unlimited(caller: Caller) -> bool:
    return caller.kind == "open" and is_loopback(caller.address)
