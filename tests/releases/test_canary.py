"""A candidate answers its share of the callers, each of whom stays on one release; a shadow answers nobody and costs little."""

import asyncio
import collections
import statistics
import time
from pathlib import Path

import httpx2
import numpy as np
import pytest
from null_releases import NullRelease
from stage import PHOTO, Load, read_marks, staged

from gateway.releases.routing import Route

REQUESTS, END_USERS = 2000, 500
CONNECTIONS = 8
SHARE = 10
SECRET = "a secret of this test, 32 characters or more"
"""Fixed: which tenth of 500 users it is follows from it, and that tenth varies by 1.3 points (standard deviation)."""
WINDOWS, WINDOW_S = 12, 4.0


async def ask_as_end_users(url: str, requests: int = END_USERS) -> dict[str, set[int]]:
    """Photos of `END_USERS` users in turn; the releases that each of them has seen."""
    seen: dict[str, set[int]] = collections.defaultdict(set)
    users = iter([f"farmer-{number % END_USERS}" for number in range(requests)])

    async def ask(http: httpx2.AsyncClient) -> None:
        for user in users:
            reply = await http.post("/v1/predict", content=PHOTO, headers={"X-End-User": user})
            assert reply.status_code == 200, reply.text
            (release,) = read_marks(reply.json())
            seen[user].add(release)

    async with httpx2.AsyncClient(base_url=url, timeout=15) as http:
        await asyncio.gather(*(ask(http) for _ in range(CONNECTIONS)))
    return seen


def share_on(release: int, seen: dict[str, set[int]]) -> float:
    """Percent of end users, all of whom send the same number of photos."""
    return 100 * sum(releases == {release} for releases in seen.values()) / len(seen)


@pytest.mark.long
def test_a_tenth_of_the_callers_is_answered_by_the_candidate_and_stays_with_it(tmp_path: Path) -> None:
    with (
        staged(tmp_path, NullRelease(1), NullRelease(2), auth="open", secret=SECRET) as stage,
        stage.gateway() as gateway,
    ):
        stage.move(gateway, "canary", "2", "--share", str(SHARE))
        first = asyncio.run(ask_as_end_users(gateway.url, REQUESTS))
        assert len(first) == END_USERS
        assert all(len(releases) == 1 for releases in first.values())
        assert 8 <= share_on(2, first) <= 12
        stage.move(gateway, "canary", "2", "--share", "50")
        more = asyncio.run(ask_as_end_users(gateway.url))
        assert 44 <= share_on(2, more) <= 56
        assert all(more[user] == {2} for user, releases in first.items() if releases == {2})  # only others have joined
        stage.move(gateway, "canary", "off")
        assert set().union(*asyncio.run(ask_as_end_users(gateway.url)).values()) == {1}


def test_any_ten_percent_of_many_keys_are_a_tenth() -> None:
    route = Route("cassava", stable=1, candidate=2, candidate_share=SHARE)
    numbers = np.array([route.number_for(f"key:bot:{user}") for user in range(100_000)])
    assert set(numbers) == {1, 2}
    assert (numbers == 2).mean() == pytest.approx(SHARE / 100, abs=0.003)


def p95(load: Load) -> float:
    """Milliseconds."""
    return float(np.percentile([1000 * (one.answered - one.sent) for one in load.seen], 95))


@pytest.mark.long
def test_a_shadow_adds_less_than_five_percent_to_the_stable_path(tmp_path: Path) -> None:
    """Windows with and without a shadow in turn, so that a machine that changes its speed changes both."""
    with staged(tmp_path, NullRelease(1), NullRelease(2, winner=1)) as stage, stage.gateway() as gateway:
        times: dict[str, list[float]] = {"2": [], "off": []}
        for window in range(WINDOWS):
            for shadow in ("2", "off") if window % 2 else ("off", "2"):
                stage.move(gateway, "shadow", shadow)
                with Load(gateway.url, clients=2) as load:
                    time.sleep(WINDOW_S)
                load.check({1})
                times[shadow].append(p95(load))
        ratios = [shadowed / alone for shadowed, alone in zip(times["2"], times["off"], strict=True)]
        assert statistics.median(ratios) < 1.05, sorted(ratios)
