"""What routes use: `require` admits the caller and counts its request, `charge` counts photos, `count_address` strangers."""

from fastapi import Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from gateway.access.access import Access
from gateway.access.caller import Caller, Scope
from gateway.access.rates import Standing
from gateway.errors import RateLimited

SCHEME = "credential"
"""Name of the credential in the API's description."""


class _Requirement(SecurityBase):
    """A dependency that FastAPI also knows as a security scheme, so that the API's description names it."""

    def __init__(self, scope: Scope, for_photos: bool) -> None:
        self._scope = scope
        self._for_photos = for_photos
        self.scheme_name = SCHEME
        self.model = HTTPBearer(
            description="API key, JSON Web Token, or the page's own token. With the scope `delegate`, "
            "`X-End-User` names whom the caller asks for."
        )

    async def __call__(self, request: Request) -> Caller:
        """Admit the sender, and leave it in `request.state.caller`."""
        access: Access = request.app.state.access
        caller = await access.admit(request, self._scope)
        request.state.caller = caller
        if not self._for_photos:
            _require_allowed(request, await access.count_request(caller), "requests")
        return caller


def require(scope: Scope, *, for_photos: bool = False) -> _Requirement:
    """A dependency: the `Caller`, who has `scope`; anybody else gets 401, 403 or 429.

    Args:
        for_photos: the route counts photos by `charge`, so that the request itself does not count.
    """
    return _Requirement(scope, for_photos)


async def charge(request: Request, cost: int = 1, already: int = 0) -> None:
    """Count `cost` photos against the share of the caller that `require` has admitted; tell it where it stands.

    Args:
        already: photos of the same request that were counted before.

    Raises:
        RateLimited: its share is used up for now; of `cost` nothing was counted.
    """
    access: Access = request.app.state.access
    standing = await access.charge(request.state.caller, cost, cost + already)
    if standing is not None and cost + already > standing.policy.quota:
        _tell(request, standing)
        quota, window_s = standing.policy.quota, standing.policy.window_s
        raise RateLimited(
            f"{cost + already} photos at once never pass: {quota} in {window_s} s do. Send fewer.", window_s
        )
    _require_allowed(request, standing, "photos")


async def count_address(request: Request) -> None:
    """Count a request that needs no credential against the share of its address.

    Raises:
        RateLimited
    """
    access: Access = request.app.state.access
    _require_allowed(request, await access.count_address(request), "requests")


def _require_allowed(request: Request, standing: Standing | None, what: str) -> None:
    if standing is None:
        return
    _tell(request, standing)
    if not standing.allowed:
        raise RateLimited(
            f"{standing.policy.quota} {what} in {standing.policy.window_s} s are your share. "
            f"Try again in {standing.retry_after_s} s.",
            standing.retry_after_s,
        )


def _tell(request: Request, standing: Standing) -> None:
    headers = getattr(request.state, "response_headers", None)
    if headers is None:
        headers = request.state.response_headers = {}
    headers.update(standing.headers)
