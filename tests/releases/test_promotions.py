"""Releases go live and come back under load: no failed request, no answer that mixes releases, nothing left loaded."""

import time
from collections.abc import Iterator

import pytest
from null_releases import CLASSES, NullRelease
from processes import GatewayProcess, wait_until
from stage import Load, Seen, Stage, marked, staged

from export.release import next_number

FEW, MANY = 3, 20
"""Promotions of the ordinary test and of the long proof."""
PROCESSES = 1 + 2 * 4
"""Triton and four steps of two releases."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Release 1 answers at first; each test adds its own."""
    with staged(tmp_path_factory.mktemp("promotions"), NullRelease(1)) as started:
        yield started


@pytest.fixture(scope="module")
def gateway(stage: Stage) -> Iterator[GatewayProcess]:
    """In front of it."""
    with stage.gateway() as process:
        yield process


def add(stage: Stage, **told: object) -> int:
    """Write the next release; returns its number."""
    number = next_number(stage.repository)
    NullRelease(number, **told).write(stage.repository)
    return number


def stable(stage: Stage) -> int:
    """The release that answers."""
    return next((state["number"] for state in stage.said("list") if state["role"] == "stable"), 1)


def until_answered_by(load: Load, number: int) -> None:
    """Wait for an answer of a release."""
    wait_until(lambda: bool(load.seen) and load.seen[-1].marks == {number}, 5, f"release {number} answers")


@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.long)])
def test_promotions_under_load(stage: Stage, gateway: GatewayProcess, count: int) -> None:
    before, numbers = stable(stage), []
    with Load(gateway.url) as load:
        for _ in range(count):
            numbers.append(add(stage))
            stage.command("promote", str(numbers[-1]))
            stage.command("prune")
            # two releases' processes stay, however many came before
            assert stage.releases_loaded() == set([before, *numbers][-2:])
            wait_until(lambda: len(stage.triton.pids()) == PROCESSES, 10, "two releases' processes")
        until_answered_by(load, numbers[-1])
    load.check({before, *numbers})
    left = {stage.repository / f"leaf_ensemble_{number}" for number in [before, *numbers][-2:]}
    assert set(stage.repository.glob("leaf_ensemble_*")) == left


def last_answer_of(number: int, seen: list[Seen]) -> float:
    """When the last answer of a release arrived."""
    return max(one.answered for one in seen if number in one.marks)


def test_a_rollback_under_load_takes_less_than_three_seconds(stage: Stage, gateway: GatewayProcess) -> None:
    before, bad = stable(stage), add(stage)
    stage.command("promote", str(bad))
    with Load(gateway.url) as load:
        until_answered_by(load, bad)
        asked = time.monotonic()
        stage.command("rollback")
        time.sleep(3)
    load.check({before, bad})
    assert last_answer_of(bad, load.seen) - asked < 3
    roles = {state["number"]: state["role"] for state in stage.said("list")}
    assert (roles[before], roles[bad]) == ("stable", None)
    assert "no previous release" in stage.command("rollback", code=1)


def test_another_class_count_goes_live_while_slow_photos_end_where_they_began(
    stage: Stage, gateway: GatewayProcess
) -> None:
    before, other = stable(stage), add(stage, classes=CLASSES + 2)
    with Load(gateway.url, clients=4, photo=marked("sleep=0.3")) as load:
        stage.command("promote", str(other))
        moved = time.monotonic()
        until_answered_by(load, other)
        stage.command("rollback")
        until_answered_by(load, before)
        wait_until(lambda: len(load.seen) >= 8, 10, "enough answers to judge by")
    load.check({before, other}, at_least=8)
    late = [one for one in load.seen if one.marks == {before} and moved < one.answered < moved + 2]
    assert all(one.sent < moved + 2 for one in late)
