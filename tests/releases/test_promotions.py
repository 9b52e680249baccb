"""Releases go live and come back under load: no failed request, no answer that mixes releases, nothing left loaded."""

import time
from pathlib import Path

import pytest
from null_releases import CLASSES, NullRelease
from processes import wait_until
from stage import Load, Seen, Stage, staged

FEW, MANY = 3, 20
"""Promotions of the ordinary test and of the long proof."""


PROCESSES = 1 + 2 * 4
"""Triton and four steps of two releases."""


def promote_one_after_the_other(stage: Stage, count: int) -> None:
    """Promote releases 2 ... `count + 1`, pruning as an operator would: two releases' processes stay, however many came."""
    for number in range(2, count + 2):
        NullRelease(number).write(stage.repository)
        stage.command("promote", str(number))
        stage.command("prune")
        assert stage.releases_loaded() == {number - 1, number}
        wait_until(lambda: len(stage.triton.pids()) == PROCESSES, 10, "two releases' processes")


@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.long)])
def test_promotions_under_load(tmp_path: Path, count: int) -> None:
    with staged(tmp_path, NullRelease(1)) as stage, stage.gateway() as gateway:
        with Load(gateway.url) as load:
            promote_one_after_the_other(stage, count)
            wait_until(lambda: load.seen[-1].marks == {count + 1}, 5, "the last release answers")
        load.check(set(range(1, count + 2)))
        assert set(stage.repository.glob("leaf_ensemble_*")) == {
            stage.repository / f"leaf_ensemble_{number}" for number in (count, count + 1)
        }


def last_answer_of(number: int, seen: list[Seen]) -> float:
    """When the last answer of a release arrived."""
    return max(one.answered for one in seen if number in one.marks)


def test_a_rollback_under_load_takes_less_than_three_seconds(tmp_path: Path) -> None:
    with staged(tmp_path, NullRelease(1), NullRelease(2)) as stage, stage.gateway() as gateway:
        stage.command("promote", "2")
        with Load(gateway.url) as load:
            wait_until(lambda: load.seen and load.seen[-1].marks == {2}, 5, "release 2 answers")
            asked = time.monotonic()
            stage.command("rollback")
            time.sleep(3)
        load.check({1, 2})
        assert last_answer_of(2, load.seen) - asked < 3
        assert {state["number"]: state["role"] for state in stage.said("list")} == {1: "stable", 2: None}
        assert "no previous release" in stage.command("rollback", code=1)


def test_a_release_with_another_class_count_is_promoted_beside_the_old_one(tmp_path: Path) -> None:
    with staged(tmp_path, NullRelease(1)) as stage, stage.gateway() as gateway:
        with Load(gateway.url) as load:
            NullRelease(2, classes=CLASSES + 2).write(stage.repository)
            stage.command("promote", "2")
            wait_until(lambda: load.seen[-1].marks == {2}, 5, "release 2 answers")
            stage.command("rollback")
            wait_until(lambda: load.seen[-1].marks == {1}, 5, "release 1 answers again")
        load.check({1, 2})


def test_requests_end_on_the_release_that_they_began_with(tmp_path: Path) -> None:
    releases = (NullRelease(1, says={"sleep_s": 0.5}), NullRelease(2, says={"sleep_s": 0.5}))
    with staged(tmp_path, *releases) as stage, stage.gateway() as gateway:
        with Load(gateway.url, clients=2) as load:
            stage.command("promote", "2")
            moved = time.monotonic()
            wait_until(lambda: load.seen[-1].marks == {2}, 8, "release 2 answers")
        load.check({1, 2}, at_least=4)
        late = [one for one in load.seen if one.marks == {1} and one.answered > moved]
        assert all(one.sent < moved + 2 for one in late)
