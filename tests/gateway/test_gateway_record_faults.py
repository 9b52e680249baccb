"""The record of the whole gateway when it is killed, or loses its database, under load."""

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import psycopg
import pytest
from photos import photo
from postgres import PostgresCluster
from processes import TritonProcess, descendants, running_gateway, wait_until

pytest_plugins = ("database_fixtures",)

FLUSH_S = 0.2
"""`flush_interval_s` as it comes."""
SLACK_S = 0.3
"""For two busy cores: the writer wakes late."""


@dataclass
class Answers:
    """When each prediction was answered, and the statuses of all others."""

    answered: dict[str, float] = field(default_factory=dict)
    others: list[int] = field(default_factory=list)


@contextlib.asynccontextmanager
async def load(url: str, clients: int = 4) -> AsyncIterator[Answers]:
    """Clients that send photos until the block ends or the gateway is gone."""
    body, answers, stop = photo(), Answers(), asyncio.Event()

    async def client() -> None:
        async with httpx2.AsyncClient(timeout=10) as http:
            while not stop.is_set():
                try:
                    reply = await http.post(f"{url}/v1/predict", content=body)
                except httpx2.TransportError:
                    return  # killed
                if reply.status_code == 200:
                    answers.answered[reply.json()["prediction_id"]] = time.monotonic()
                else:
                    answers.others.append(reply.status_code)
                await asyncio.sleep(0.01)

    tasks = [asyncio.create_task(client()) for _ in range(clients)]
    try:
        yield answers
    finally:
        stop.set()
        await asyncio.gather(*tasks)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_was_answered_before_a_kill_is_recorded_whole(
    null_triton: TritonProcess, tmp_path: Path, workers: int
) -> None:
    async def run() -> tuple[Answers, float]:
        with running_gateway(null_triton.grpc_url, tmp_path / "log", workers=workers) as gateway:
            async with load(gateway.url) as answers:
                await asyncio.sleep(2)
                killed_at = time.monotonic()
                for pid in [gateway.process.pid, *descendants(gateway.process.pid)]:
                    os.kill(pid, signal.SIGKILL)
            return answers, killed_at

    answers, killed_at = asyncio.run(run())
    with sqlite3.connect(tmp_path / "log.state" / "gateway.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = database.execute("SELECT id, probabilities, members FROM predictions").fetchall()
    recorded = {
        key for key, probabilities, members in rows if len(json.loads(probabilities)) == 5 and json.loads(members)
    }
    due = {key for key, at in answers.answered.items() if at < killed_at - FLUSH_S - SLACK_S}
    assert len(due) > 50
    assert due <= recorded
    assert len(recorded) == len(rows)
    assert answers.others == []


@pytest.mark.parametrize("outage_s", [4, pytest.param(30, marks=pytest.mark.long)])
def test_no_prediction_fails_while_the_database_is_down(
    null_triton: TritonProcess, postgres: PostgresCluster, tmp_path: Path, outage_s: int
) -> None:
    url = postgres.new_database()

    async def run() -> Answers:
        with running_gateway(null_triton.grpc_url, tmp_path / "log", database_url=url) as gateway:
            async with load(gateway.url) as answers:
                await asyncio.sleep(1)
                await asyncio.to_thread(postgres.stop)
                try:
                    before = len(answers.answered)
                    await asyncio.sleep(outage_s)
                    assert len(answers.answered) - before > 10 * outage_s
                    async with httpx2.AsyncClient(timeout=15) as http:
                        refused = await http.get(f"{gateway.url}/v1/predictions/{'0' * 32}")
                    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/records-unavailable")
                finally:
                    await asyncio.to_thread(postgres.start)
                await asyncio.sleep(1)
            await asyncio.to_thread(
                wait_until, lambda: recorded() >= answers.answered.keys(), 20, "all answers recorded"
            )
            return answers

    def recorded() -> set[str]:
        with psycopg.connect(url, connect_timeout=5) as connection:
            return {row[0] for row in connection.execute("SELECT id FROM predictions")}

    assert asyncio.run(run()).others == []
