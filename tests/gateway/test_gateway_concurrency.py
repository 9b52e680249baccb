"""Photos are let in as quickly as they are answered in time; beyond that callers are told at once."""

import contextlib
import heapq
from collections import Counter

import pytest

from gateway.errors import ClientGone, Overloaded, Problem, TritonQueueFull, TritonUnavailable, UndecodableImage
from gateway.predictions.slots import Slots
from gateway.settings import Settings

QUEUE_S = 3.0


class Line:
    """Photos behind one another at a server that answers so many a second and forgets who waited for QUEUE_S.

    Simulated: its clock is moved by hand, so that a minute of overload takes no time and no machine's.
    """

    def __init__(self, per_second: float, processes: int = 1, callers_wait_s: float = 60.0) -> None:
        self.now = 0.0
        self.per_second = per_second
        self.callers_wait_s = callers_wait_s
        self.slots = [Slots(Settings(workers=processes), lambda: self.now) for _ in range(processes)]
        self.counts: Counter[str] = Counter()
        self._busy_until = 0.0
        self._ends: list[tuple[float, int, contextlib.ExitStack, Problem | None]] = []
        self._came = 0

    def offer(self, per_second: float, seconds: float, large_s: float = 0.0) -> Counter[str]:
        """Photos at an even rate; what became of those that ended meanwhile.

        Args:
            large_s: what every fifth takes before it joins the line.
        """
        self.counts.clear()
        start, spacing = self.now, 1 / per_second
        for number in range(int(seconds * per_second)):
            self._let_end(start + number * spacing)
            self.come(large_s if number % 5 == 0 else 0.0)
        self._let_end(start + seconds)
        return self.counts

    def come(self, large_s: float = 0.0) -> None:
        """One photo, at the process whose turn it is."""
        self._came += 1
        work = contextlib.ExitStack()
        try:
            work.enter_context(self.slots[self._came % len(self.slots)].one())
        except Overloaded:
            self.counts["refused"] += 1
            return
        starts = max(self.now, self._busy_until)
        ends, problem = starts + 1 / self.per_second, None
        for wait_s, reason in ((QUEUE_S, TritonQueueFull("late")), (self.callers_wait_s, ClientGone("gone"))):
            if starts > self.now + wait_s:
                starts = ends = self.now + wait_s
                problem = reason
        if problem is None:
            self._busy_until = ends
        heapq.heappush(self._ends, (ends + large_s, self._came, work, problem))

    def wait(self, seconds: float) -> None:
        """Nobody comes."""
        self._let_end(self.now + seconds)

    def _let_end(self, until: float) -> None:
        while self._ends and self._ends[0][0] <= until:
            self.now, _, work, problem = heapq.heappop(self._ends)
            self.counts["answered" if problem is None else problem.type] += 1
            close(work, problem)
        self.now = until


def close(work: contextlib.ExitStack, problem: Problem | None) -> None:
    """End a photo's work, by a problem if there is one."""
    with contextlib.suppress(Problem), work:
        if problem is not None:
            raise problem


def room(slots: Slots) -> int:
    """How many photos are let in at once now; they leave without a trace."""
    held = contextlib.ExitStack()
    count = 0
    with contextlib.suppress(Overloaded):
        while True:
            held.enter_context(slots.one())
            count += 1
    close(held, UndecodableImage("says nothing about time"))
    return count


def failed(counts: Counter[str]) -> int:
    return sum(times for what, times in counts.items() if what not in ("answered", "refused"))


@pytest.mark.parametrize(("capacity", "processes"), [(2.5, 1), (2.5, 4), (7, 1), (7, 4), (7, 8), (40, 1), (40, 8)])
def test_at_twice_the_capacity_what_is_let_in_is_answered(capacity: float, processes: int) -> None:
    line = Line(capacity, processes)
    line.offer(2 * capacity, 10)  # nothing was known before
    counts = line.offer(2 * capacity, 60)
    assert counts["answered"] > 0.95 * 60 * capacity
    assert failed(counts) < 0.05 * counts["answered"]


def test_overload_is_met_before_anybody_was_late() -> None:
    line = Line(7)
    counts = line.offer(14, 10)
    assert counts["answered"] > 0.9 * 10 * 7 and not failed(counts)


def test_large_photos_that_take_longer_do_not_shut_others_out() -> None:
    line = Line(7)
    line.offer(14, 10, large_s=1.5)
    assert line.offer(14, 60, large_s=1.5)["answered"] > 0.95 * 60 * 7


def test_nobody_is_refused_where_photos_are_answered_in_time() -> None:
    line = Line(7)
    assert line.offer(6.5, 60) == {"answered": 390}
    quick = Line(200)
    for _ in range(64):
        quick.come()
    quick.wait(1)
    assert quick.counts == {"answered": 64}


def test_a_burst_at_the_start_is_answered_as_far_as_time_allows() -> None:
    line = Line(7)
    for _ in range(100):
        line.come()
    line.wait(5)
    assert line.counts["answered"] == 22  # as many as three seconds hold, and who came when they were over


def test_callers_who_leave_early_are_learnt_from() -> None:
    line = Line(7, callers_wait_s=1)
    line.offer(14, 30)
    assert line.offer(14, 60)["answered"] > 0.9 * 60 * 7


def test_a_server_that_is_quick_again_gets_many_again() -> None:
    line = Line(2)
    line.offer(8, 20)
    assert room(line.slots[0]) <= 6
    line.per_second = 100
    line.offer(150, 10)
    line.wait(2)
    assert room(line.slots[0]) > 35


def test_a_slow_hour_is_forgotten() -> None:
    line = Line(2)
    line.offer(8, 20)
    line.wait(50)
    assert room(line.slots[0]) < 10
    line.wait(15)
    assert room(line.slots[0]) == 128


@pytest.mark.parametrize(
    ("problem", "after_s"), [(TritonQueueFull("x"), 3), (TritonQueueFull("x"), 0), (ClientGone("x"), 2)]
)
def test_photos_that_were_never_answered_are_learnt_from(problem: Problem, after_s: float) -> None:
    now = [0.0]
    slots = Slots(Settings(), lambda: now[0])
    works = [contextlib.ExitStack() for _ in range(20)]
    for work in works:
        work.enter_context(slots.one())
    now[0] += after_s
    for work in reversed(works):
        close(work, problem)
    assert 4 <= room(slots) < 20


def test_photos_that_fail_for_other_reasons_say_nothing() -> None:
    slots = Slots(Settings())
    for problem in (UndecodableImage("x"), Overloaded("no memory to decode"), TritonUnavailable("x"), ClientGone("x")):
        works = [contextlib.ExitStack() for _ in range(20)]
        for work in works:
            work.enter_context(slots.one())
        for work in works:
            close(work, problem)
    assert room(slots) == 128


def test_every_end_of_a_photo_gives_its_place_back() -> None:
    slots = Slots(Settings(max_in_flight=1))
    for problem in (UndecodableImage("x"), TritonQueueFull("x"), ClientGone("x"), RuntimeError("x")):
        with pytest.raises(type(problem)), slots.one():
            raise problem
        assert slots.photos == 0
    with slots.one(), pytest.raises(Overloaded):
        slots.require_one()


def test_groups_leave_room_for_single_photos() -> None:
    line = Line(7)
    line.offer(14, 30)
    line.wait(5)
    (slots,) = line.slots
    before = room(slots)
    assert 12 <= before <= 18
    with contextlib.ExitStack() as groups:
        groups.enter_context(slots.group())
        with contextlib.suppress(Overloaded):
            groups.enter_context(slots.group())
        with pytest.raises(Overloaded):
            slots.require_group()
        assert room(slots) == before, "a group whose photos are not in work holds nobody up"
        with slots.photo(), slots.photo():
            assert room(slots) == before - 2
    slots.require_group()


def test_at_the_lowest_limit_a_group_leaves_half_to_single_photos() -> None:
    line = Line(1)
    line.offer(8, 20)
    line.wait(5)
    (slots,) = line.slots
    with slots.group(), contextlib.ExitStack() as photos:
        assert 1 <= slots.photos_of_a_group <= slots.most_photos / 2
        for _ in range(slots.photos_of_a_group):
            photos.enter_context(slots.photo())
        assert room(slots) >= 2


def test_one_slow_photo_says_nothing_of_the_others() -> None:
    now = [0.0]
    slots = Slots(Settings(), lambda: now[0])
    for _ in range(3):
        with slots.one():
            now[0] += 2 * QUEUE_S
    assert room(slots) == 128


def test_photos_of_groups_are_learnt_from() -> None:
    now = [0.0]
    slots = Slots(Settings(), lambda: now[0])
    with slots.group(), slots.group(), contextlib.ExitStack() as photos:
        for _ in range(8):
            photos.enter_context(slots.photo())
        now[0] += QUEUE_S
    assert 4 <= room(slots) < 8


@pytest.mark.parametrize("quick_share", [0.1, 0.5])
def test_a_quick_release_beside_a_slow_one(quick_share: float) -> None:
    slow = Line(7)
    quick_every = round(1 / quick_share)
    late = answered = 0
    for number in range(2000):
        slow.wait(1 / 14 * (1 if number % quick_every else 0))
        if number % quick_every == 0:
            with contextlib.suppress(Overloaded), slow.slots[0].one():
                slow.now += 0.001
        else:
            slow.come()
    late, answered = failed(slow.counts), slow.counts["answered"]
    assert late < 0.05 * answered
