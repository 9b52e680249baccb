"""Judgements that are made of samples, answers and photos."""

import io
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from test_loads import Slow

from benchmarks import photos
from benchmarks.loads.offered import Offered, schedule
from benchmarks.loads.samples import Sample
from benchmarks.measures import answers, fleet, overload
from benchmarks.peers.networks import DETAIL, REDUCE_ABOVE_PIXELS
from benchmarks.systems.ours import deadlines
from benchmarks.systems.release import Release
from benchmarks.systems.system import Running, Setup, System
from benchmarks.targets import Reply
from gateway.settings import Settings
from gateway.triton import release

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
        *[Sample(1.9, 5.0, 504), Sample(1.91, 3.0, 503), Sample(1.92, 4.0, 429)],  # told after they had waited
        *[Sample(1.9, float("inf"), 0), Sample(1.95, 2.0, 500)],
    ]
    found = overload.judge(samples, begin=1, end=2, deadline_s=5, capacity=5)
    assert found["photos"] == 13
    assert found["in_time"] == pytest.approx(4 / 13)
    assert found["late"] == pytest.approx(1 / 13)
    assert found["refused"] == pytest.approx(3 / 13)
    assert found["given_up"] == pytest.approx(3 / 13)
    assert found["failed"] == pytest.approx(2 / 13)
    assert found["statuses"] == {"0": 1, "200": 5, "429": 2, "500": 1, "503": 3, "504": 1}
    assert found["offered"] == 13
    assert found["within_capacity"] == pytest.approx(0.8)
    assert found["refused_after_ms"] == pytest.approx(20)


def test_agreement_tells_class_and_distance() -> None:
    wanted = [[0.6, 0.4], [0.2, 0.8], [0.52, 0.48]]
    found = answers.agreement(wanted, [[0.55, 0.45], [0.7, 0.3], [0.49, 0.51]], bound=0.1)
    assert found["same_class"] == pytest.approx(1 / 3)
    assert found["largest_difference"] == pytest.approx(0.5)
    assert found["differ"] == [1]  # the third photo's two best are nearer than the bound
    assert answers.agreement(wanted, [[0.6, 0.4], [0.2, 0.8], [float("nan"), 0.5]], bound=0.1)["differ"] == [2]
    # a class that changes within the bound, and yet from a clear one
    assert answers.agreement([[0.6, 0.4]], [[0.49, 0.51]], bound=0.15)["differ"] == [0]


class Mixed(Slow):
    """Answers what a photo says, but two photos that wait together get one another's answers."""

    def __init__(self, mixed: bool) -> None:
        super().__init__(0)
        self._mixed, self._pair, self._met = mixed, [], threading.Barrier(2)  # type: tuple[bool, list[bytes], threading.Barrier]

    def ask(self, photo: bytes, within_s: float | None = None) -> Reply:  # noqa: ARG002
        """The batch's other photo's answer, if mixed."""
        with suppress(threading.BrokenBarrierError):
            self._pair.append(photo)
            self._met.wait(timeout=0.5)
            if self._mixed:
                photo = next(each for each in self._pair[-2:] if each != photo)
            self._met.wait(timeout=0.5)
        return Reply(200, {"probabilities": [float(photo), 1 - float(photo)]})


def test_a_batch_that_mixes_answers_up_shows() -> None:
    photos = [b"0.1", b"0.9", b"0.2", b"0.8"]
    running = {name: Running(Mixed(mixed=name == "mixed"), ()) for name in ("reference", "right", "mixed")}
    these = fleet.Fleet({}, running)
    found = answers.check(
        fleet.Fleet({}, {name: running[name] for name in ("reference", "right")}), "reference", photos, 2, 0.1
    )
    assert found["right"]["differ"] == []
    with pytest.raises(
        answers.DifferentAnswersError, match=r"mixed on 4 of 4 photos \(numbers 0, 1, 2, 3\), by up to 0.8"
    ):
        answers.check(these, "reference", photos, 2, 0.1)


def test_overload_lasts_until_enough_photos_were_due(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def offer(_target: object, _photos: object, rate: float, seconds: float, _grace_s: float) -> Offered:
        asked.append((rate, seconds))
        return Offered(0, [Sample(moment, moment + 0.1, 200) for moment in schedule(rate, seconds)])

    monkeypatch.setattr(overload, "offer", offer)
    for capacity, lasting in ((10, 1 + 3), (100, 1 + 0.5), (0.5, 1 + 30)):
        found = overload.run("it", Running(Slow(0), ()), [b"photo"], capacity, 2, 0.5, 5, 1)
        assert asked[-1] == (2 * capacity, pytest.approx(lasting))
        assert found["offered"] == pytest.approx(found["photos"] / (lasting - 1))


def test_admitted_photos_are_answered_within_the_gateways_share_of_the_deadline() -> None:
    assert SETUP.admitted is None
    strict = replace(SETUP, deadline_s=5.0, capacity=4.0)
    assert (strict.admitted, strict.queue_s, strict.whole_s) == (12, 3.0, 4.8)
    assert replace(strict, capacity=0.1).admitted == 1


def test_margins_are_the_gateways_defaults() -> None:
    fields = Settings.model_fields
    told = deadlines(replace(SETUP, deadline_s=5.0), 5.0)
    for name in ("queue_timeout_s", "infer_timeout_s", "request_deadline_s"):
        assert float(told[f"GATEWAY_{name.upper()}"]) == pytest.approx(fields[name].default)
    assert fields["reduce_above_pixels"].default == REDUCE_ABOVE_PIXELS
    assert release._DETAIL == DETAIL


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
