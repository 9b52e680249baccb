"""Judgements that are made of samples, answers and photos."""

import io
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from PIL import Image
from test_loads import Slow

from benchmarks import photos
from benchmarks.loads.samples import Sample
from benchmarks.measures import answers, fleet, overload
from benchmarks.systems.release import Release
from benchmarks.systems.system import Running, Setup, System

SETUP = Setup(Path(), Release("leaf_ensemble_1", (), 1.0), Path())


def system(name: str, code: str) -> System:
    """One process that runs `code`; its answers come from here."""

    @contextmanager
    def start(_setup: Setup) -> Iterator[Running]:
        process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
        try:
            yield Running(Slow(0), (process.pid,))
            process.terminate()
            process.communicate(timeout=30)
        finally:
            process.kill()

    return System(name, name, name, start)


def test_overload_counts_in_time_late_refused_and_lost() -> None:
    samples = [
        Sample(0.5, 0.6, 200),  # before the queues are full
        *[Sample(1 + 0.1 * n, 2 + 0.1 * n, 200) for n in range(4)],
        Sample(1.5, 9, 200),
        *[Sample(1.6, 1.61, 503), Sample(1.7, 1.72, 429), Sample(1.8, 1.83, 503)],
        Sample(1.9, float("inf"), 0),
        Sample(1.95, 2.0, 500),
    ]
    found = overload.judge(samples, begin=1, end=2, deadline_s=5, capacity=5)
    assert found["photos"] == 10
    assert found["in_time"] == pytest.approx(0.4)
    assert found["late"] == pytest.approx(0.1)
    assert found["refused"] == pytest.approx(0.3)
    assert found["failed"] == pytest.approx(0.2)
    assert found["within_capacity"] == pytest.approx(0.8)
    assert found["refused_after_ms"] == pytest.approx(20)


def test_agreement_tells_class_and_distance() -> None:
    found = answers.agreement([[0.6, 0.4], [0.2, 0.8]], [[0.55, 0.45], [0.7, 0.3]])
    assert found["same_class"] == 0.5
    assert found["largest_difference"] == pytest.approx(0.5)
    assert answers.within(found, 0.5)
    assert not answers.within(found, 0.4)
    assert not answers.within({"largest_difference": float("nan")}, 0.5)


def test_drawn_photos_have_the_sizes_that_are_said() -> None:
    drawn = photos.read(None, 5)
    assert [Image.open(io.BytesIO(photo)).size for photo in drawn] == list(photos.MIX[:5])
    assert len(set(drawn)) == 5
    assert photos.read(None, 5) == drawn


def test_each_twentieth_photo_is_broken() -> None:
    turn = photos.with_bad_ones(photos.read(None, 3))
    assert [bad for _, bad in turn] == [False] * 19 + [True]
    with pytest.raises(OSError), Image.open(io.BytesIO(turn[-1][0])) as image:
        image.load()


def test_folder_without_photos_is_named(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SystemExit, match="no JPEG"):
        photos.read(tmp_path, 3)


def test_a_system_that_is_busy_while_idle_sleeps_until_its_turn() -> None:
    def becomes(pid: int, state: str) -> bool:
        """Signals take a moment."""
        deadline = time.monotonic() + 10
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != state:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    with ExitStack() as stack:
        fleets = fleet.start(
            [system("polls", "while True: pass"), system("waits", "import time; time.sleep(600)")],
            SETUP,
            b"photo",
            stack,
        )
        polls, waits = (fleets.running[name].pids[0] for name in ("polls", "waits"))
        assert fleets.facts["polls"]["idle_cores"] > 0.03
        assert becomes(polls, "T")
        with fleets.turn("polls"):
            assert becomes(polls, "R")
        with fleets.turn("waits"):
            assert becomes(polls, "T")
            assert becomes(waits, "S")
    # both could hear that they were to end
    assert not Path(f"/proc/{polls}").exists()
