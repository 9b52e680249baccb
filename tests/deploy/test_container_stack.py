"""What `docker compose up` starts, run without an engine: the images' commands, users and environments on real parts."""

from collections.abc import Iterator

import httpx2
import pytest
from container_stack import Stack, bot_key, running_stack
from processes import ROOT

GATEWAY = "http://127.0.0.1:8080"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running_stack() as made:
        yield made


def test_a_photo_is_answered_for_the_bots_key(stack: Stack) -> None:
    photo = (ROOT / "demo" / "leaf.jpg").read_bytes()
    headers = {"Authorization": f"Bearer {bot_key(stack)}"}
    answer = stack.network.call(httpx2.post, f"{GATEWAY}/v1/predict", content=photo, headers=headers, timeout=20)
    assert answer.status_code == 200, answer.text
    assert answer.json()["release"] == 1
