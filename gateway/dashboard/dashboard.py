"""Answers the dashboard's questions without burdening the gateway: each is worked out once and kept for some seconds."""

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine

from gateway.dashboard.figures import read_summary
from gateway.dashboard.names import ChartName, ChartSize, ThemeName
from gateway.dashboard.periods import Hours, Period
from gateway.dashboard.refusals import count_refusals
from gateway.dashboard.summary import Summary
from gateway.errors import Overloaded
from gateway.records.store import Store
from gateway.releases.comparing import compare
from gateway.releases.comparison import Comparison
from gateway.releases.routes import read_route

_KEPT_S = 10.0
_MOST_CHARTS_WAITING = 64
_KEPT_CHARTS = 128


@dataclass(frozen=True, slots=True)
class _Kept:
    summary: Summary
    names: Mapping[str, str]
    until: float


class Dashboard:
    """Figures and charts of one gateway; shared by all requests of the process."""

    def __init__(self, engine: Engine, task: str = "") -> None:
        self._task = task
        self._store = Store(engine)
        self._drawing = ThreadPoolExecutor(1, thread_name_prefix="charts")  # matplotlib is not made for more
        self._waiting = 0
        self._summaries: dict[Hours, _Kept] = {}
        self._comparisons: dict[Hours, tuple[Comparison | None, float]] = {}
        self._comparing = {hours: asyncio.Lock() for hours in Hours}
        self._asking = {hours: asyncio.Lock() for hours in Hours}
        self._charts: dict[tuple[datetime, ChartName, Hours, ThemeName, ChartSize], bytes] = {}

    def close(self) -> None:
        """Stop the threads."""
        self._store.close()
        self._drawing.shutdown(wait=False, cancel_futures=True)

    async def summary(self, hours: Hours, class_names: Mapping[str, str]) -> Summary:
        """The figures of the last `hours`, some seconds old at most; names as in `read_summary`.

        Raises:
            RecordsUnavailable
        """
        async with self._asking[hours]:  # whoever comes meanwhile gets the same
            kept = self._summaries.get(hours)
            if kept is None or kept.until < time.monotonic() or kept.names != class_names:
                period = Period.until(datetime.now(UTC), hours)
                summary = await self._store.read(read_summary, period, class_names)
                summary = summary.model_copy(update={"refusals": await asyncio.to_thread(count_refusals)})
                kept = self._summaries[hours] = _Kept(summary, class_names, time.monotonic() + _KEPT_S)
            return kept.summary

    async def comparison(self, hours: Hours) -> Comparison | None:
        """The route's releases beside each other, as old at most; None where there is no route.

        Raises:
            RecordsUnavailable
        """
        async with self._comparing[hours]:
            found, until = self._comparisons.get(hours, (None, 0.0))
            if until < time.monotonic():
                found = await self._store.read(_compare, self._task, hours)
                self._comparisons[hours] = found, time.monotonic() + _KEPT_S
            return found

    async def chart(
        self, name: ChartName, hours: Hours, theme: ThemeName, size: ChartSize, class_names: Mapping[str, str]
    ) -> bytes:
        """One chart of the same figures as an SVG document.

        Raises:
            RecordsUnavailable
            Overloaded: too many charts wait to be drawn.
        """
        summary = await self.summary(hours, class_names)
        key = (summary.generated_at, name, hours, theme, size)
        if key not in self._charts:
            if self._waiting >= _MOST_CHARTS_WAITING:
                raise Overloaded("Too many charts are being drawn. Try again in a second.")
            self._waiting += 1
            try:
                drawn = await asyncio.get_running_loop().run_in_executor(
                    self._drawing, _draw, name, summary, theme, size
                )
            finally:
                self._waiting -= 1
            while len(self._charts) >= _KEPT_CHARTS:
                self._charts.pop(next(iter(self._charts)))
            self._charts[key] = drawn
            return drawn
        return self._charts[key]


def _compare(connection: Connection, task: str, hours: Hours) -> Comparison | None:
    route = read_route(connection, task)
    return None if route is None else compare(connection, route, hours)


def _draw(name: ChartName, summary: Summary, theme: ThemeName, size: ChartSize) -> bytes:
    from gateway.dashboard.charts import (
        draw_chart,
    )  # matplotlib: half a second and 40 MB that most processes never need

    return draw_chart(name, summary, theme, size)
