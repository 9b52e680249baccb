"""Faults that a test orders: what happens to which share of the calls, drawn from a seed."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bot_api.errors import ApiError, ConnectionCut

HOLDS = ("hold_before", "hold_after")
CALLS = ("flood", "error", "bad_gateway", "slow", "slow_after", "cut_before", "cut_after", *HOLDS)
UPDATES = ("repeat", "reorder")

T = TypeVar("T")


@dataclass
class Rule:
    """One order.

    Attributes:
        kind: flood (429 with retry_after), error (500), bad_gateway (502, a page), slow and slow_after (`seconds` before or
            behind the effect), cut_before and cut_after (the connection), hold_before and hold_after (no answer until the caller
            is gone); repeat, reorder (of updates).
        methods: names in lower case, `file` for downloads; empty means all but getUpdates.
        share: of the calls, 0 to 1.
        times: how often at most; None for ever.
    """

    kind: str
    methods: tuple[str, ...] = ()
    share: float = 1.0
    times: int | None = None
    retry_after: int = 1
    seconds: float = 1.0
    draws: random.Random = field(default_factory=random.Random)

    def hits(self, method: str) -> bool:
        """Whether this call is one of those; every call that it is meant for draws once."""
        if (
            self.times == 0
            or method not in (self.methods or (method,))
            or (method == "getupdates" and not self.methods)
        ):
            return False
        if self.draws.random() >= self.share:
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Faults:
    """The orders that hold now, and how often each kind has happened."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.happened: Counter[str] = Counter()

    def order(self, rules: list[dict[str, Any]], seed: int) -> None:
        """Replace the orders; raises ValueError for a kind that is none."""
        for rule in rules:
            if rule["kind"] not in CALLS + UPDATES:
                raise ValueError(f"no such fault: {rule['kind']}")
        self.rules = [
            Rule(**{**rule, "methods": tuple(name.lower() for name in rule.get("methods", ()))}) for rule in rules
        ]
        for place, rule in enumerate(self.rules):
            rule.draws = random.Random(f"{seed}/{place}")
        self.happened.clear()

    def drawn(self, method: str, kinds: tuple[str, ...] = CALLS) -> Rule | None:
        """What happens to a call; the first order that hits."""
        for rule in self.rules:
            if rule.kind in kinds and rule.hits(method):
                self.happened[f"{rule.kind} {method}"] += 1
                return rule
        return None

    async def around(
        self, rule: Rule | None, effect: Callable[[], Awaitable[T]], gone: Callable[[], Awaitable[None]]
    ) -> T:
        """Do it, with the fault; raises ApiError or ConnectionCut where the fault says so.

        Args:
            gone: returns when the caller has closed the connection.
        """
        match rule.kind if rule else None:
            case "flood":
                assert rule
                raise ApiError(429, f"Too Many Requests: retry after {rule.retry_after}", retry_after=rule.retry_after)
            case "error":
                raise ApiError(500, "Internal Server Error")
            case "bad_gateway":
                raise ApiError(502, "Bad Gateway")
            case "cut_before":
                raise ConnectionCut
            case "hold_before":
                await gone()
                raise ConnectionCut
            case "slow":
                assert rule
                await asyncio.sleep(rule.seconds)
        result = await effect()
        if rule and rule.kind == "slow_after":
            await asyncio.sleep(rule.seconds)
        if rule and rule.kind == "hold_after":
            await gone()
        if rule and rule.kind in ("cut_after", "hold_after"):
            raise ConnectionCut
        return result
