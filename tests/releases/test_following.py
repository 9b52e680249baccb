"""Every worker and every replica follows the route within 2 s, and keeps it while the database is away."""

import asyncio
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from null_releases import NullRelease
from postgres import PostgresCluster, running_postgres
from processes import GatewayProcess, descendants, wait_until
from stage import PHOTO, read_marks, staged

FOLLOWED_S = 2.0
ASKED = 24
"""Photos on as many connections at once: enough to meet every worker."""


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresCluster]:
    """A database server of its own, which these tests stop."""
    with running_postgres() as cluster:
        yield cluster


def answering(*gateways: GatewayProcess) -> set[int]:
    """The releases that answer, asked on new connections."""

    async def ask(url: str) -> int:
        async with httpx2.AsyncClient(timeout=15) as http:
            reply = await http.post(f"{url}/v1/predict", content=PHOTO)
        assert reply.status_code == 200, reply.text
        (release,) = read_marks(reply.json())
        return release

    async def ask_all() -> set[int]:
        return set(await asyncio.gather(*(ask(gateway.url) for gateway in gateways for _ in range(ASKED))))

    return asyncio.run(ask_all())


def test_all_workers_of_all_replicas_follow(tmp_path: Path) -> None:
    with (
        staged(tmp_path, NullRelease(1), NullRelease(2)) as stage,
        stage.gateway("several", workers=2) as several,
        stage.gateway("replica") as replica,
    ):
        for words, number in ((("promote", "2"), 2), (("rollback",), 1)):
            stage.command(*words)
            time.sleep(FOLLOWED_S)
            assert answering(several, replica) == {number}


def test_the_route_outlives_the_database(tmp_path: Path, postgres: PostgresCluster) -> None:
    url = postgres.new_database()
    releases = (NullRelease(1), NullRelease(2), NullRelease(3))
    with staged(tmp_path, *releases, load=3, database_url=url) as stage, stage.gateway() as gateway:
        assert answering(gateway) == {3}  # no row: the highest number
        stage.move(gateway, "promote", "2")
        assert answering(gateway) == {2}
        postgres.stop()
        try:
            time.sleep(FOLLOWED_S)
            assert answering(gateway) == {2}
            stage.command("rollback", code=1)
        finally:
            postgres.start()
        wait_until(lambda: "can be read again" in gateway.log.read_text(), 10, "the database is back")
        stage.move(gateway, "rollback")
        assert answering(gateway) == {3}


@pytest.mark.long
def test_a_worker_that_starts_while_the_database_is_away_keeps_the_route(
    tmp_path: Path, postgres: PostgresCluster
) -> None:
    url = postgres.new_database()
    with (
        staged(tmp_path, NullRelease(1), NullRelease(2), load=2, database_url=url, auth="open") as stage,
        stage.gateway(workers=2) as gateway,
    ):
        stage.move(gateway, "promote", "1")
        time.sleep(FOLLOWED_S)
        postgres.stop()
        try:
            workers = started(gateway)
            for pid in workers:
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: len(started(gateway) - workers) == 2, 30, "two other workers")
            wait_until(gateway.is_ready, 10, "they are ready")
            assert answering(gateway) == {1}
        finally:
            postgres.start()


def started(gateway: GatewayProcess) -> set[int]:
    """Process ids of the workers that have said that they run."""
    said = re.findall(r"Started server process \[(\d+)\]", gateway.log.read_text())
    return {int(pid) for pid in said} & set(descendants(gateway.process.pid))
