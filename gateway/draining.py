"""Whether the gateway was told to end: set by the server, read by requests through the ASGI state that both share."""

from asyncio import Event
from collections.abc import Mapping, MutableMapping
from typing import Any

_KEY = "draining"


def share(state: MutableMapping[str, Any]) -> Event:
    """The event that is set when the end begins, put into the server's `state`, which every request copies."""
    event: Event = state.setdefault(_KEY, Event())
    return event


def is_draining(state: Mapping[str, Any]) -> bool:
    """Whether the end has begun; `state` is that of a request, however old."""
    return _KEY in state and state[_KEY].is_set()
