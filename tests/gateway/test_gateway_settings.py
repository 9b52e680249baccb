"""Settings, logs and the memory budget."""

import asyncio
import json
import subprocess
import sys
import time

import pytest
from pydantic import ValidationError

from gateway.images.checking import MemoryBudget
from gateway.settings import Settings, load_settings


def test_environment_wins_over_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "9000")
    settings = load_settings()
    assert (settings.host, settings.port, settings.triton_url) == ("127.0.0.1", 9000, "127.0.0.1:8001")


@pytest.mark.parametrize(
    "values",
    [
        {"infer_timeout_s": 9},
        {"queue_timeout_s": 4.5},
        {"probe_max_age_s": 1},
        {"port": 70000},
        {"log_level": "loud"},
        {"model_repository": "nowhere"},
    ],
)
def test_contradictory_settings_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(values)


def test_every_setting_is_documented() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_logs_are_one_json_object_a_line() -> None:
    program = (
        "import logging, structlog; from gateway.logs import configure_logs; configure_logs('info');"
        "logging.getLogger('uvicorn.error').warning('theirs %s', 1); structlog.get_logger().info('ours', é='ü');"
        "structlog.get_logger().debug('hidden')"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    theirs, ours = (json.loads(line) for line in output.splitlines())
    assert (theirs["event"], theirs["level"]) == ("theirs 1", "warning")
    assert (ours["event"], ours["é"]) == ("ours", "ü")


def test_budget_is_served_in_order_and_survives_cancellation() -> None:
    async def scenario() -> list[str]:
        budget, order = MemoryBudget(10), []

        async def use(name: str, size: int) -> None:
            await budget.acquire(size)
            order.append(name)

        await use("first", 8)
        waiting = {name: asyncio.create_task(use(name, size)) for name, size in (("big", 9), ("small", 2), ("last", 3))}
        await asyncio.sleep(0)
        assert order == ["first"]  # small would fit, but big came before it
        waiting["big"].cancel()
        await asyncio.sleep(0.01)
        assert order == ["first", "small"]
        budget.release(8)
        await waiting["last"]
        return order

    assert asyncio.run(scenario()) == ["first", "small", "last"]


def test_budget_granted_and_cancelled_in_one_moment_is_given_back() -> None:
    async def scenario() -> None:
        budget = MemoryBudget(10)
        await budget.acquire(10)
        waiting = asyncio.create_task(budget.acquire(10))
        await asyncio.sleep(0)
        budget.release(10)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.wait_for(budget.acquire(10), 1)

    asyncio.run(scenario())


def test_threads_hold_memory_of_the_same_budget() -> None:
    async def scenario() -> list[str]:
        budget, order = MemoryBudget(10), []
        hold = budget.for_threads()

        def keep() -> None:
            with hold(1000):  # all there is
                order.append("thread")
                time.sleep(0.05)

        await budget.acquire(4)
        thread = asyncio.create_task(asyncio.to_thread(keep))
        await asyncio.sleep(0.05)
        assert order == []
        behind = asyncio.create_task(budget.acquire(1))
        budget.release(4)
        await behind
        order.append("behind")
        await thread
        return order

    assert asyncio.run(scenario()) == ["thread", "behind"]
