"""kill -9 in the middle of a promotion: after a restart the route points at a release that answers, whole."""

import contextlib
import os
import random
import signal
import sqlite3
import threading
import time
from pathlib import Path

import httpx2
import pytest
from null_releases import NullRelease
from processes import GatewayProcess, descendants, wait_until
from stage import PHOTO, Stage, read_marks, staged

FEW, MANY = 1, 20
"""Kills of the ordinary test and of the long proof."""
AGAIN_S = 60
"""Until all answers again: Triton and gateway start, and a lock whose holder was killed expires after 30 s."""


def put(url: str, number: int) -> httpx2.Response | None:
    """Promote by the admin route; None where the gateway, or Triton before it began, was killed."""
    with contextlib.suppress(httpx2.TransportError):
        asked = httpx2.get(f"{url}/v1/routes", timeout=10)
        if asked.status_code != 200:  # Triton was killed first
            return None
        route = asked.json()["route"]
        wanted = {"stable": number, "version": route["version"]}
        return httpx2.put(f"{url}/v1/routes/{route['task']}", json=wanted, timeout=60)
    return None


def kill_tritonserver(stage: Stage) -> None:
    """Kill the server itself, as the system does for want of memory; the launcher ends by that."""
    launcher = stage.triton.process
    assert launcher is not None
    names = {pid: Path(f"/proc/{pid}/comm").read_text().strip() for pid in descendants(launcher.pid)}
    os.kill(next(pid for pid, name in names.items() if name.startswith("tritonserver")), signal.SIGKILL)
    launcher.wait(20)


def answers(gateway: GatewayProcess) -> int | None:
    """The release that answers; None where none does yet."""
    with contextlib.suppress(httpx2.TransportError):
        reply = httpx2.post(f"{gateway.url}/v1/predict", content=PHOTO, timeout=10)
        if reply.status_code == 200:
            (release,) = read_marks(reply.json())
            return release
    return None


def check_after(stage: Stage, gateway: GatewayProcess, before: int, wanted: int) -> int:
    """What the route names answers, and is one of the two; returns it."""

    def is_followed() -> bool:
        stable = httpx2.get(f"{gateway.url}/v1/routes", timeout=10).json()["route"]["stable"]
        return stable in (before, wanted) and answers(gateway) == stable

    wait_until(is_followed, AGAIN_S, "the release of the route answers")
    return answers(gateway) or 0


def forget_the_lock_of_the_last_victim(stage: Stage) -> None:
    """It would end by itself 30 s after the kill; until then every promotion of the next round would be refused."""
    with contextlib.closing(sqlite3.connect(stage.folder / "state" / "gateway.db")) as database, database:
        database.execute("DELETE FROM route_locks")


def kill_during_a_promotion(stage: Stage, victim: str, number: int, before: int, delay: float) -> int:
    """One round on a gateway of its own; returns the release that answers after the restart."""
    NullRelease(number).write(stage.repository)
    forget_the_lock_of_the_last_victim(stage)
    with stage.gateway(f"before-{number}") as gateway:
        promotion = threading.Thread(target=put, args=(gateway.url, number))
        promotion.start()
        time.sleep(delay)
        if victim == "gateway":
            gateway.process.kill()
            promotion.join(60)
        else:
            kill_tritonserver(stage)
            promotion.join(60)
            stage.triton.start()
            return check_after(stage, gateway, before, number)
    with stage.gateway(f"after-{number}") as gateway:
        return check_after(stage, gateway, before, number)


@pytest.mark.parametrize("victim", ["gateway", "triton"])
@pytest.mark.parametrize("kills", [FEW, MANY])
@pytest.mark.long
@pytest.mark.timeout(1800)
def test_kill_at_any_moment_of_a_promotion(tmp_path: Path, victim: str, kills: int) -> None:
    rng = random.Random(0)
    with staged(tmp_path, NullRelease(1), auth="open") as stage:
        stage.triton.load = ()  # what it starts with is the newest, as in deployment: even one that was never promoted
        reach_s = 0.0
        for number in (2, 3):  # each by a gateway of its own, as those to be interrupted
            NullRelease(number).write(stage.repository)
            with stage.gateway(f"measured-{number}") as gateway:
                began = time.monotonic()
                moved = put(gateway.url, number)
                reach_s = time.monotonic() - began
                assert moved is not None
                assert moved.status_code == 200, moved.text
        stable, outcomes = 3, set()
        for number in range(4, 4 + kills):
            after = kill_during_a_promotion(stage, victim, number, stable, rng.uniform(0, reach_s))
            outcomes.add("moved" if after == number else "stayed")
            stable = after
            reach_s *= 0.8 if after == number else 1.25  # the machine's load changes meanwhile
        if kills == MANY:
            assert outcomes == {"moved", "stayed"}  # before and after the row was written
        with stage.gateway("last") as gateway:
            number = 4 + kills
            NullRelease(number).write(stage.repository)
            wait_until(lambda: getattr(put(gateway.url, number), "status_code", 0) == 200, AGAIN_S, "a promotion")
            wait_until(lambda: answers(gateway) == number, 5, "the last release answers")
            stage.command("prune")
            assert stage.releases_loaded() == {stable, number}
