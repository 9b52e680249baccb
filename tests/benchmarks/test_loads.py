"""What the load generators measure, on servers whose speed is known."""

import threading
import time

import pytest

from benchmarks.loads import closed
from benchmarks.loads.offered import offer, schedule
from benchmarks.loads.samples import Sample, latency, rate
from benchmarks.targets import Reply


class Slow:
    """Answers one photo at a time, after `seconds` each; the `stall`-th takes a second more."""

    def __init__(self, seconds: float, stall: int = -1) -> None:
        self._seconds, self._stall, self._turn, self.asked = seconds, stall, threading.Lock(), 0

    def connect(self) -> "Slow":
        """Shared by all clients."""
        return self

    def close(self) -> None:
        """Nothing to end."""

    def ask(self, photo: bytes) -> Reply:
        """422 for a photo that is not one."""
        with self._turn:
            self.asked += 1
            time.sleep(self._seconds + (1 if self.asked == self._stall else 0))
        return Reply(422 if photo == b"bad" else 200, {"probabilities": [1.0]})


def test_rate_of_batches_is_that_of_the_batches_whatever_the_window_cuts() -> None:
    batches = [2.0 * number for number in range(1, 8) for _ in range(8)]
    assert rate(batches, 3.9, 10.1) == pytest.approx(4, rel=0.01)
    assert rate(batches, 4.1, 10.1) == pytest.approx(4, rel=0.01)


def test_rate_of_too_few_answers_is_their_count() -> None:
    assert rate([5.0, 5.01], 0, 10) == pytest.approx(0.2)
    assert rate([], 0, 10) == 0


def test_closed_loop_measures_a_known_server() -> None:
    spent = iter([1.0, 3.0])
    with closed.clients(Slow(0.02), [b"photo"]) as these:
        window = closed.measure(these, 4, 1.0, 5, cpu_s=lambda: next(spent))
    figures = window.figures()
    assert figures["photos_per_second"] == pytest.approx(48, rel=0.1)
    waited = [1000 * each.seconds for each in window.samples]
    assert sum(waited) / len(waited) == pytest.approx(83, rel=0.15)
    assert figures["p50_ms"] <= figures["p95_ms"] <= figures["p99_ms"]
    assert figures["cpu_s_per_photo"] == pytest.approx(2 / figures["photos"])
    assert figures["failures"] == 0


def test_clients_grow_and_all_get_their_last_answer() -> None:
    server = Slow(0.005)
    with closed.clients(server, [b"photo"]) as these:
        for level in (1, 2, 8):
            closed.measure(these, level, 0.05, 1, cpu_s=lambda: 0.0)
    assert len(these.samples) == server.asked


def test_broken_photos_are_no_failures_and_good_ones_are() -> None:
    turn = [(b"photo", False), (b"bad", True)]
    with closed.clients(Slow(0.001), turn) as these:
        window = closed.measure(these, 2, 0.1, 1, cpu_s=lambda: 0.0)
    assert window.figures()["failures"] == 0
    with closed.clients(Slow(0.001), [b"bad"]) as these:
        window = closed.measure(these, 2, 0.1, 1, cpu_s=lambda: 0.0)
    assert window.figures()["failures"] == len(window.samples) > 0


def test_schedule_has_the_rate_and_is_the_same_each_time() -> None:
    moments = schedule(50, 60)
    assert len(moments) == pytest.approx(3000, rel=0.05)
    assert moments == schedule(50, 60) == sorted(moments)


def test_open_loop_counts_the_wait_of_photos_that_a_stall_kept_from_being_answered() -> None:
    samples = offer(Slow(0.005, stall=10), [b"photo"], rate=50, seconds=2, grace_s=3)
    assert len(samples) == len(schedule(50, 2))
    assert {each.status for each in samples} == {200}
    # a second's stall delays the fifty photos that are due meanwhile: half of all, each by the rest of the second
    assert sum(each.seconds > 0.2 for each in samples) > 30
    assert latency(samples).p95_ms > 700


def test_open_loop_lists_photos_without_an_answer() -> None:
    samples = offer(Slow(5), [b"photo"], rate=20, seconds=0.3, grace_s=0.1)
    assert samples
    assert {each.status for each in samples} == {0}


def test_latency_of_nothing_is_no_number() -> None:
    assert latency([Sample(0, 1, 503)]).photos == 0
    assert latency([Sample(0, 1, 503)]).p95_ms != latency([Sample(0, 1, 503)]).p95_ms
