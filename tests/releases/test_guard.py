"""A release that fails or refuses too many photos is taken back by itself, where that was asked for."""

import time
from pathlib import Path

import httpx2
import pytest
from null_releases import NullRelease
from processes import GatewayProcess, wait_until
from stage import PHOTO, marked, staged

pytestmark = pytest.mark.long

HARD = marked("kind=hard")
PHOTOS = 30


def send(gateway: GatewayProcess, photo: bytes, count: int) -> set[int]:
    """Statuses of as many photos, one after the other."""
    with httpx2.Client(base_url=gateway.url, timeout=15) as http:
        return {http.post("/v1/predict", content=photo).status_code for _ in range(count)}


def stable(gateway: GatewayProcess) -> int:
    """Of the route."""
    return int(httpx2.get(f"{gateway.url}/v1/routes", timeout=10).json()["route"]["stable"])


@pytest.mark.parametrize(
    ("bad", "limit"),
    [
        ({"spoiled": {"fails_on_hard": True}}, {"guard_error_percent": 20}),
        pytest.param({"says": {"score_of_hard": 99.0}}, {"guard_refusal_percent": 20}),
    ],
    ids=["errors", "refusals"],
)
def test_a_bad_release_is_taken_back_by_itself(
    tmp_path: Path, bad: dict[str, object], limit: dict[str, object]
) -> None:
    releases = (NullRelease(1), NullRelease(2, **bad))
    with staged(tmp_path, *releases, auth="open", guard_photos=PHOTOS) as stage, stage.gateway(**limit) as gateway:
        stage.move(gateway, "promote", "2")
        assert send(gateway, PHOTO, PHOTOS + 5) == {200}
        assert stable(gateway) == 2
        wait_until(lambda: bool(send(gateway, HARD, 5)) and stable(gateway) == 1, 20, "release 2 is taken back")
        assert send(gateway, HARD, 3) == {200}
        changes = httpx2.get(f"{gateway.url}/v1/routes", timeout=10).json()["changes"]
        assert changes[0]["action"] == "guard"
        assert "release 2" in changes[0]["reason"]


def test_without_a_limit_nothing_moves_by_itself(tmp_path: Path) -> None:
    releases = (NullRelease(1), NullRelease(2, spoiled={"fails_on_hard": True}))
    with staged(tmp_path, *releases, auth="open", guard_photos=PHOTOS) as stage, stage.gateway() as gateway:
        stage.move(gateway, "promote", "2")
        send(gateway, HARD, PHOTOS + 5)
        time.sleep(1)
        assert stable(gateway) == 2
