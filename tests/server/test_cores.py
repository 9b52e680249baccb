"""Engines of several processes share the cores: in the order of arrival, all of them where nobody else wants any."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import ROOT, wait_until

from server.cores import CoreShares, share_count


class Engine:
    """One that wants shares, as if in a process of its own: a lock belongs to the file that was opened for it."""

    def __init__(self, folder: Path, cores: int = 2) -> None:
        self.shares = CoreShares(folder, cores)
        self.held: list[int] | None = None

    def ask(self, wanted: int = 0) -> list[int]:
        """Wait for a turn and a share."""
        with self.shares.turn():
            self.held = self.shares.take(wanted)
        return self.held

    def ask_meanwhile(self) -> threading.Thread:
        thread = threading.Thread(target=self.ask, daemon=True)
        thread.start()
        return thread

    def end(self) -> None:
        assert self.held is not None
        self.shares.give_back(self.held)
        self.held = None


def stays(what: Callable[[], bool]) -> bool:
    """For longer than anybody polls."""
    time.sleep(0.05)
    return what()


def test_who_is_alone_gets_all_cores(tmp_path: Path) -> None:
    first, second = Engine(tmp_path), Engine(tmp_path)
    for _ in range(3):
        assert first.ask() == [0, 1]
        first.end()
        assert second.ask() == [0, 1]
        second.end()


def test_a_batch_gets_a_share_for_each_of_its_photos(tmp_path: Path) -> None:
    engine, other = Engine(tmp_path), Engine(tmp_path)
    with engine.shares.turn():
        assert engine.shares.take(wanted=2) == [0]
        assert engine.shares.take(wanted=1) == [1]
    waiting = other.ask_meanwhile()
    assert stays(lambda: other.held is None)
    engine.shares.give_back([1])
    waiting.join(5)
    assert other.held == [1], "what is left is taken at once"


def test_the_last_photo_of_a_batch_gets_all_cores_if_they_are_free(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    with engine.shares.turn():
        (first,) = engine.shares.take(wanted=2)
        engine.shares.give_back([first])
        (second,) = engine.shares.take(wanted=1)
        engine.shares.give_back([second])
        assert engine.shares.take(wanted=0) == [0, 1]


def test_where_there_is_work_for_each_share_everybody_gets_one(tmp_path: Path) -> None:
    running, *waiting = (Engine(tmp_path) for _ in range(4))
    running.ask()
    threads = [engine.ask_meanwhile() for engine in waiting]
    assert stays(lambda: all(engine.held is None for engine in waiting))
    running.end()
    wait_until(lambda: sum(engine.held is not None for engine in waiting) == 2, 5, "two have begun")
    assert sorted(share for engine in waiting for share in engine.held or ()) == [0, 1]
    for engine in waiting:
        if engine.held:
            engine.end()
    for thread in threads:
        thread.join(5)
    assert all(not thread.is_alive() for thread in threads)


def test_turns_come_in_the_order_of_arrival(tmp_path: Path) -> None:
    running = Engine(tmp_path)
    running.ask()
    order: list[int] = []

    def come(number: int) -> None:
        engine = Engine(tmp_path)
        with engine.shares.turn():
            engine.held = engine.shares.take(0)
            order.append(number)
        engine.end()

    threads = []
    for number in range(8):
        threads.append(threading.Thread(target=come, args=(number,), daemon=True))
        threads[-1].start()
        time.sleep(0.02)
    running.end()
    for thread in threads:
        thread.join(5)
    assert order == sorted(order)


def test_the_cores_of_a_killed_process_are_free_again(tmp_path: Path) -> None:
    take = (
        "import sys, time; from pathlib import Path; from server.cores import CoreShares\n"
        "shares = CoreShares(Path(sys.argv[1]), 2)\n"
        "with shares.turn():\n"
        "    print(shares.take(0), flush=True)\n"
        "    time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", take, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"[0, 1]\n"
        engine = Engine(tmp_path)
        thread = engine.ask_meanwhile()
        assert stays(lambda: engine.held is None)
        os.kill(process.pid, signal.SIGKILL)
    thread.join(5)
    assert engine.held == [0, 1]


@pytest.mark.parametrize(("cores", "shares"), [(1, 1), (2, 2), (6, 6), (12, 6), (16, 8), (7, 7), (11, 1), (64, 8)])
def test_shares_are_equal(cores: int, shares: int) -> None:
    assert share_count(cores) == shares
