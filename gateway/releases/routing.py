"""The route: which releases answer a task, and which of them answers a caller. Nothing here reads or writes anything."""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gateway.access.addresses import is_loopback
from gateway.access.caller import Caller
from gateway.errors import InvalidRoute

_BUCKETS = 10_000
_PERCENT = _BUCKETS // 100


@dataclass(frozen=True, slots=True)
class Route:
    """One task's row.

    Attributes:
        stable: number of the release that answers.
        candidate: release that answers `candidate_share` percent of the callers instead.
        shadow: release that is asked beside the stable one and answers nobody.
        previous: release that answered before; it stays loaded, so that a rollback needs no loading.
        version: grows with every change; 0 where there is no row yet.
    """

    task: str
    stable: int
    candidate: int | None = None
    candidate_share: float = 0.0
    shadow: int | None = None
    previous: int | None = None
    version: int = 0
    changed_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    changed_by: str = ""

    @property
    def numbers(self) -> tuple[int, ...]:
        """All releases that have to be loaded, the most important first."""
        named = (self.stable, self.candidate, self.previous, self.shadow)
        return tuple(dict.fromkeys(number for number in named if number is not None))

    def role_of(self, number: int) -> str | None:
        """`stable`, `candidate`, `shadow` or `previous`, the most important first; None for any other release."""
        roles = ("stable", "candidate", "shadow", "previous")
        return next((role for role in roles if getattr(self, role) == number), None)

    def promoted(self, number: int) -> "Route":
        """With `number` as the stable release; the one before stays loaded."""
        if number == self.stable:
            return self._without(number)
        return replace(self._without(number), stable=number, previous=self.stable)

    def with_candidate(self, number: int, share: float) -> "Route":
        """With `number` answering `share` percent of the callers.

        Raises:
            InvalidRoute: it is the stable release, or the share is not above 0 and at most 100.
        """
        if number == self.stable:
            raise InvalidRoute(f"Release {number} answers everybody already, so it cannot be the candidate.")
        if not 0 < share <= 100:
            raise InvalidRoute(f"A candidate's share is above 0 and at most 100 percent, not {share:g}.")
        return replace(self, candidate=number, candidate_share=share)

    def with_shadow(self, number: int) -> "Route":
        """With `number` asked beside the stable release.

        Raises:
            InvalidRoute: it is the stable release.
        """
        if number == self.stable:
            raise InvalidRoute(f"Release {number} is the one that answers, so it cannot be its own shadow.")
        return replace(self, shadow=number)

    def without_candidate(self) -> "Route":
        """With nobody on a candidate."""
        return replace(self, candidate=None, candidate_share=0.0)

    def without_shadow(self) -> "Route":
        """With no shadow."""
        return replace(self, shadow=None)

    def rolled_back(self) -> "Route":
        """With the previous release as the stable one, and nobody on a candidate.

        There is no previous release afterwards: going back twice would bring back what was taken back.

        Raises:
            InvalidRoute: there is no previous release.
        """
        if self.previous is None:
            raise InvalidRoute(
                "There is no previous release to go back to; promote the one that you want by its number."
            )
        back = replace(self._without(self.previous), stable=self.previous, previous=None)
        return back.without_candidate()

    def number_for(self, key: str) -> int:
        """The release that answers the caller of this key: always the same one while the candidate and its share stay.

        A growing share only adds callers; another candidate is tried on others.
        """
        if self.candidate is None:
            return self.stable
        digest = hashlib.blake2b(f"{self.candidate}:{key}".encode(), digest_size=8).digest()
        bucket = int.from_bytes(digest) % _BUCKETS
        return self.candidate if bucket < self.candidate_share * _PERCENT else self.stable

    def _without(self, number: int) -> "Route":
        route = self.without_candidate() if self.candidate == number else self
        return replace(
            route,
            shadow=None if route.shadow == number else route.shadow,
            previous=None if route.previous == number else route.previous,
        )


def routing_key(caller: Caller, request_id: str) -> str:
    """What keeps a caller on one release: the end user, else key or token, else the address.

    Behind this machine's own address may be anybody: there each request is drawn for itself.
    """
    if caller.kind in ("open", "page") and caller.end_user is None and is_loopback(caller.address):
        return request_id
    return caller.identity
