"""Counts of rate limits in a Redis that several processes share; imported only where one is named, since redis is large."""

from typing import Any

from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.errors import InvalidAccessSettingsError

_TIMEOUT_S = 0.25
_MAX_CONNECTIONS = 64


class RedisCounts:
    """Sliding windows in Redis; `failures` is what a limiter raises where it does not answer."""

    failures = (RedisError, OSError)  # TimeoutError is an OSError

    def __init__(self, url: str) -> None:
        """Nothing is connected yet.

        Raises:
            InvalidAccessSettingsError: `url` is no URL of a Redis.
        """
        try:
            self._pool = BlockingConnectionPool.from_url(
                url,
                max_connections=_MAX_CONNECTIONS,
                timeout=_TIMEOUT_S,
                socket_timeout=_TIMEOUT_S,
                socket_connect_timeout=_TIMEOUT_S,
                retry=Retry(NoBackoff(), 0),  # the process's own counts are at hand: no second try
            )
        except ValueError as error:
            raise InvalidAccessSettingsError(
                "GATEWAY_REDIS_URL is no URL of a Redis; write redis://user:password@host:6379/0, rediss:// with TLS."
            ) from error
        options: dict[str, Any] = {"connection_pool": self._pool}
        storage = RedisStorage("async+redis://", implementation="redispy", key_prefix="leaf-limits", **options)
        self.limiter = SlidingWindowCounterRateLimiter(storage)

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.disconnect()
