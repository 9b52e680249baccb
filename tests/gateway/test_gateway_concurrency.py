"""How many photos are let in at once follows from how quickly they are answered."""

import math

from gateway.predictions.pace import LEAST, Pace


def test_before_the_first_answer_nothing_is_known() -> None:
    assert Pace(3).most_at_once == math.inf


def test_a_quick_server_is_given_many_and_a_slow_one_few() -> None:
    quick, slow = Pace(3), Pace(3)
    quick.answered(1, 0.01)
    slow.answered(1, 0.5)
    assert quick.most_at_once == 300
    assert slow.most_at_once == LEAST


def test_it_settles_at_what_is_answered_in_time() -> None:
    pace = Pace(2)
    for _ in range(100):
        # seven photos a second, however many wait
        in_work = min(40, pace.most_at_once)
        pace.answered(int(in_work), in_work / 7)
    assert 12 <= pace.most_at_once <= 15


def test_photos_that_wait_in_vain_make_room_for_fewer() -> None:
    pace = Pace(3)
    pace.answered(10, 1)
    before = pace.most_at_once
    pace.late()
    assert LEAST <= pace.most_at_once < before
    for _ in range(50):
        pace.late()
    assert pace.most_at_once == LEAST
