"""What the load generators measure, on servers whose speed is known."""

import itertools
import math
import statistics
import threading
import time
from collections import Counter

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

    def ask(self, photo: bytes, within_s: float | None = None) -> Reply:
        """422 for a photo that is not one."""
        end = None if within_s is None else time.monotonic() + within_s
        if not self._turn.acquire(timeout=-1 if within_s is None else within_s):
            return Reply(0, {})
        try:
            self.asked += 1
            needed = self._seconds + (1 if self.asked == self._stall else 0)
            left = needed if end is None else max(0.0, end - time.monotonic())
            time.sleep(min(needed, left))
            if left < needed:
                return Reply(0, {})
        finally:
            self._turn.release()
        return Reply(422 if photo == b"bad" else 200, {"probabilities": [1.0]})


def test_rate_of_batches_is_that_of_the_batches_whatever_the_window_cuts() -> None:
    batches = [2.0 * number for number in range(1, 8) for _ in range(8)]
    assert rate(batches, 3.9, 10.1) == pytest.approx(4, rel=0.01)
    assert rate(batches, 4.1, 10.1) == pytest.approx(4, rel=0.01)


def test_rate_of_too_few_answers_is_their_count() -> None:
    assert rate([5.0, 5.01], 0, 10) == pytest.approx(0.2)
    assert rate([], 0, 10) == 0


def test_rate_of_a_server_that_stops_is_what_it_answered() -> None:
    steady = [0.02 * number for number in range(1, 301)]  # until the sixth of ten seconds
    assert rate(steady, 0, 10) == pytest.approx(30, rel=0.01)
    assert rate([10 - moment for moment in steady], 0, 10) == pytest.approx(30, rel=0.01)
    assert rate(steady, 0, 6) == pytest.approx(50, rel=0.01)


def test_a_window_tells_of_a_server_that_stops_in_its_middle() -> None:
    with closed.clients(Slow(0.01, stall=50), [b"photo"]) as these:
        window = closed.measure(these, 1, 1.0, 5, cpu_s=lambda: 0.0)
    # half a second of a hundred a second; the slope alone would say a hundred
    assert window.photos_per_second < 70


def test_a_load_has_settled_when_each_client_and_each_photo_was_answered() -> None:
    class Uneven(Slow):
        """The first client's answers come at once, another's after a while."""

        def connect(self) -> "Slow":
            """One of each."""
            self.asked += 1
            return Slow(0 if self.asked == 1 else 0.3)

    with closed.clients(Uneven(0), [b"photo", b"other"]) as these:
        these.grow(2)
        began = time.perf_counter()
        these.settle(2, 10, all_photos=True)
        assert 0.55 < time.perf_counter() - began < 5
        these.settle(10, 0.1)
    with closed.clients(Slow(0.05), [b"photo"] * 8) as these:
        these.grow(1)
        these.settle(1, 10, all_photos=True)
        assert len(these.samples) >= 8


def test_closed_loop_measures_a_known_server() -> None:
    spent = iter([1.0, 3.0])
    with closed.clients(Slow(0.02), [b"photo"]) as these:
        window = closed.measure(these, 4, 1.0, 5, cpu_s=lambda: next(spent))
    figures = window.figures()
    assert figures["photos_per_second"] == pytest.approx(48, rel=0.1)
    waited = [1000 * each.seconds for each in window.samples]
    assert sum(waited) / len(waited) == pytest.approx(83, rel=0.15)
    assert figures["p50_ms"] <= figures["p95_ms"]
    assert figures["cpu_s_per_photo"] == pytest.approx(2 / (window.photos_per_second * window.seconds))
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


class Full(Slow):
    """Has no room for the first `refusals` photos."""

    def __init__(self, status: int, refusals: int) -> None:
        super().__init__(0)
        self._status, self._refusals, self._number = status, refusals, itertools.count()

    def ask(self, photo: bytes, within_s: float | None = None) -> Reply:
        """At once."""
        return Reply(self._status, {}) if next(self._number) < self._refusals else super().ask(photo, within_s)


@pytest.mark.parametrize("status", [0, 429, 503, 504])
def test_a_photo_that_there_is_no_room_for_was_not_answered(status: int) -> None:
    """Nor do those who are refused ask as quickly as they can."""
    with closed.clients(Full(status, 4), [(b"photo", False), (b"bad", True)]) as these:
        began = time.perf_counter()
        these.grow(2)
        these.settle(1, 10, all_photos=True)
        assert 0.19 < time.perf_counter() - began < 5
        settled = Counter(each.status for each in list(these.samples))
    assert settled[status] == 4
    assert settled.keys() == {status, 200, 422}


def test_the_refused_fill_no_window() -> None:
    with closed.clients(Full(503, 10**6), [b"photo"]) as these:
        window = closed.measure(these, 2, 0.2, 0.2, cpu_s=lambda: 0.0)
        assert these.answers == 0
    assert window.seconds >= 0.5  # as long as it may last
    assert window.photos_per_second == 0
    assert 0 < window.figures()["failures"] <= 2 * (window.seconds / 0.1 + 1)


def test_schedule_has_the_rate_and_is_the_same_each_time() -> None:
    moments = schedule(50, 60)
    assert len(moments) == 3000
    assert 0 < moments[0] < moments[-1] < 60
    assert moments == schedule(50, 60) == sorted(moments)
    # as independent senders: the gaps' spread is as large as their mean
    gaps = [after - before for before, after in itertools.pairwise(moments)]
    assert statistics.stdev(gaps) == pytest.approx(statistics.fmean(gaps), rel=0.1)


def test_open_loop_counts_the_wait_of_photos_that_a_stall_kept_from_being_answered() -> None:
    samples = offer(Slow(0.005, stall=10), [b"photo"], rate=50, seconds=2, grace_s=3).samples
    assert len(samples) == len(schedule(50, 2))
    assert {each.status for each in samples} == {200}
    # a second's stall delays the fifty photos that are due meanwhile: half of all, each by the rest of the second
    assert sum(each.seconds > 0.2 for each in samples) > 30
    assert latency(samples).p95_ms > 700


def test_open_loop_lists_photos_without_an_answer_and_leaves_no_sender_behind() -> None:
    before, began = threading.active_count(), time.perf_counter()
    samples = offer(Slow(5), [b"photo"], rate=20, seconds=0.3, grace_s=0.1).samples
    assert len(samples) == 6
    assert {(each.status, each.done) for each in samples} == {(0, math.inf)}
    assert threading.active_count() == before
    assert time.perf_counter() - began < 3


def test_latency_of_too_few_is_no_number() -> None:
    assert latency([Sample(0, 1, 503)]).photos == 0
    assert math.isnan(latency([Sample(0, 1, 503)]).p50_ms)
    few, many = (latency([Sample(0, number, 200) for number in range(count)]) for count in (19, 20))
    assert (few.p50_ms, math.isnan(few.p95_ms)) == (9000, True)
    assert many.p95_ms == pytest.approx(18050)
    assert math.isnan(many.p99_ms)
    assert latency([Sample(0, 1, 200)] * 100).p99_ms == 1000


def test_a_lost_photo_waits_without_end() -> None:
    samples = [*[Sample(0, 1, 200)] * 30, *[Sample(0, 0.1, 503)] * 10, Sample(0, math.inf, 0)]
    assert latency(samples).p95_ms == 1000
    counted = latency(samples, lost=True)
    assert (counted.photos, counted.p50_ms, counted.p95_ms) == (41, 1000, math.inf)
