"""Rate limits over sliding windows, counted in this process or, shared, in Redis."""

import asyncio
import time
from dataclasses import dataclass
from math import floor, inf
from typing import TYPE_CHECKING, Any

import limits
import structlog
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from gateway.access.window_memory import WindowMemory

if TYPE_CHECKING:
    from gateway.access.redis_counts import RedisCounts

log = structlog.get_logger()

_REDIS_PAUSE_S = 2.0
_REDIS_DEADLINE_S = 0.5


@dataclass(frozen=True, slots=True)
class Policy:
    """A limit and the name under which callers see it."""

    name: str
    rate: limits.RateLimitItem

    @classmethod
    def of(cls, name: str, rate: str) -> "Policy":
        """From text such as `60/minute`."""
        return cls(name, limits.parse(rate))

    @property
    def quota(self) -> int:
        """Units that pass in one window."""
        return self.rate.amount

    @property
    def window_s(self) -> int:
        """Length of the window, seconds."""
        return self.rate.get_expiry()


@dataclass(frozen=True, slots=True)
class Standing:
    """Where somebody stands under a policy after asking for some units.

    Attributes:
        allowed: whether they were granted.
        remaining: units that could be asked for now.
        more_in_s: seconds until there are more; None where the whole quota is there.
        retry_after_s: seconds until those would be granted that are asked for again, where they were not.
    """

    policy: Policy
    allowed: bool
    remaining: int
    more_in_s: int | None
    retry_after_s: int

    @property
    def headers(self) -> dict[str, str]:
        """`RateLimit` and `RateLimit-Policy` in the form of draft-ietf-httpapi-ratelimit-headers-10."""
        seconds = self.more_in_s if self.allowed else self.retry_after_s
        until = "" if seconds is None else f";t={seconds}"
        name, quota, window_s = self.policy.name, self.policy.quota, self.policy.window_s
        return {
            "RateLimit-Policy": f'"{name}";q={quota};w={window_s}',
            "RateLimit": f'"{name}";r={self.remaining}{until}',
        }


class RateLimits:
    """Counts units by policy and identity; while Redis does not answer, each process counts for itself."""

    def __init__(self, redis_url: str = "", memory: WindowMemory | None = None) -> None:
        """Nothing is connected yet; `memory` replaces the one made here.

        Raises:
            InvalidAccessSettingsError: `redis_url` is no URL of a Redis.
        """
        self._here = SlidingWindowCounterRateLimiter(memory or WindowMemory())
        self._shared = _redis_counts(redis_url) if redis_url else None
        self._redis_again_at = -inf
        self._redis_is_down = False

    async def take(self, policy: Policy, identity: str, cost: int = 1, again: int = 0) -> Standing:
        """Ask for `cost` units; those that are refused are not counted.

        Args:
            again: units that will be asked for after a refusal, where they are more.
        """
        if self._shared is not None and time.monotonic() >= self._redis_again_at:
            if self._redis_is_down:  # one request tries, the others do not wait for it
                self._redis_again_at = time.monotonic() + _REDIS_PAUSE_S
            try:
                async with asyncio.timeout(_REDIS_DEADLINE_S):
                    standing = await _take(self._shared.limiter, policy, identity, cost, again)
            except self._shared.failures as error:
                self._redis_again_at = time.monotonic() + _REDIS_PAUSE_S
                if not self._redis_is_down:
                    log.warning("redis does not answer; rate limits are counted by process", error=type(error).__name__)
                self._redis_is_down = True
            else:
                if self._redis_is_down:
                    log.info("redis answers again; rate limits are shared")
                self._redis_is_down, self._redis_again_at = False, -inf
                return standing
        return await _take(self._here, policy, identity, cost, again)

    async def close(self) -> None:
        """Close the connections to Redis."""
        if self._shared is not None:
            await self._shared.close()


def _redis_counts(url: str) -> "RedisCounts":
    from gateway.access.redis_counts import RedisCounts

    return RedisCounts(url)


async def _take(
    limiter: SlidingWindowCounterRateLimiter, policy: Policy, identity: str, cost: int, again: int
) -> Standing:
    allowed = await limiter.hit(policy.rate, policy.name, identity, cost=cost)
    storage: Any = limiter.storage
    window = await storage.get_sliding_window(policy.rate.key_for(policy.name, identity), policy.window_s)
    previous, previous_ttl, current, _ = window
    used = floor(previous * previous_ttl / policy.window_s) + current
    remaining = max(0, policy.quota - used)
    return Standing(
        policy,
        allowed,
        remaining,
        more_in_s=_wait_s(policy, window, remaining + 1) if remaining < policy.quota else None,
        retry_after_s=0 if allowed else _wait_s(policy, window, max(cost, again)),
    )


def _wait_s(policy: Policy, window: tuple[int, float, int, float], cost: int) -> int:
    """Whole seconds, at least 1, until `cost` units would be granted if nothing else is asked for meanwhile.

    The previous window's hits count in proportion to the part of it that the sliding window still covers, rounded down.
    """
    previous, previous_ttl, current, current_ttl = window
    length, most = policy.window_s, policy.quota - cost
    if most < 0:  # never: more than a whole window's quota
        return length
    if current <= most:
        seconds = previous_ttl - (most - current + 1) * length / previous if previous else 0.0
    else:  # only once this window is the previous one
        seconds = (current_ttl - length) + length - (most + 1) * length / current
    return max(1, floor(seconds) + 1)
