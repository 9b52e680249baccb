"""Where a class was seen, strangers, and photos that may be kept: what is asked for beside the answer."""

import base64
import io
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from null_repository import EXPLAINED, MEMBERS
from photos import encode, photo, picture
from PIL import Image
from processes import TritonProcess, running_gateway, wait_until
from several import post, recorded, triton_with


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A gateway whose release has activation maps and an outlier score."""
    folder = tmp_path_factory.mktemp("explained")
    with (
        triton_with(folder, EXPLAINED) as triton,
        running_gateway(triton.grpc_url, folder / "log") as gateway,
        httpx2.Client(base_url=gateway.url, timeout=10) as client,
    ):
        yield client


def overlay(explanation: dict[str, object]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(str(explanation["overlay_png"]), validate=True)))


def test_an_explanation_comes_only_where_asked_for(explained: httpx2.Client) -> None:
    assert explained.post("/v1/predict", content=photo("hot=0,0,0")).json()["explanation"] is None
    assert explained.post("/v1/predict?explain=false", content=photo("hot=0,0,0")).json()["explanation"] is None


def test_the_overlay_shows_where_the_class_was_seen(explained: httpx2.Client) -> None:
    reply = explained.post("/v1/predict?explain=true", content=photo("hot=0,0,0"), headers={"Accept-Language": "sw"})
    explanation = reply.json()["explanation"]
    assert list(explanation) == ["class_name", "overlay_png", "members"]
    assert (explanation["class_name"], explanation["members"]) == ("Baka Bakteria ya Muhogo", list(MEMBERS))
    image = overlay(explanation)
    assert (image.format, image.mode, image.size) == ("PNG", "RGBA", (384, 288))
    evidence = image.getchannel("A")
    left, right = (evidence.crop(box).getextrema()[1] for box in ((0, 0, 150, 150), (200, 150, 384, 288)))
    assert left > 150
    assert right == 0


def test_a_release_without_maps_explains_nothing(client: httpx2.Client) -> None:
    assert client.post("/v1/predict?explain=true", content=photo()).json()["explanation"] is None


def test_each_photo_of_a_batch_is_explained(explained: httpx2.Client) -> None:
    results = post(explained, "/v1/predict:batch?explain=true", [photo("hot=0,0,0"), b"no image"]).json()["results"]
    assert overlay(results[0]["prediction"]["explanation"]).size == (384, 288)


def test_photos_of_a_diagnosis_are_explained_by_its_class(explained: httpx2.Client) -> None:
    sure, other = photo("probabilities=0.9,0.025,0.025,0.025,0.025"), photo("probabilities=0.3,0.6,0.05,0.025,0.025")
    photos = post(explained, "/v1/diagnoses?explain=true", [sure, other]).json()["photos"]
    assert [item["prediction"]["class_name"] for item in photos] == [
        "Cassava Bacterial Blight",
        "Cassava Brown Streak Disease",
    ]
    assert {item["prediction"]["explanation"]["class_name"] for item in photos} == {"Cassava Bacterial Blight"}


def test_a_stranger_is_rejected_and_has_no_say_in_a_diagnosis(explained: httpx2.Client) -> None:
    stranger = photo("outlier=9")
    reply = explained.post("/v1/predict", content=stranger).json()
    assert (reply["decision"], reply["prediction_set"], reply["advice"]) == ("rejected", [], None)
    body = post(explained, "/v1/diagnoses", [stranger, photo()]).json()
    assert (body["decision"], body["photos_used"]) == ("accepted", 1)
    assert post(explained, "/v1/diagnoses", [stranger]).json()["decision"] == "rejected"


def test_quality_hints_are_told_and_recorded(client: httpx2.Client) -> None:
    dark = encode(picture().point(lambda value: value // 20))
    reply = client.post("/v1/predict", content=dark).json()
    assert "too_dark" in reply["quality"]
    assert recorded(client, reply["prediction_id"])["quality"] == reply["quality"]
    both = post(client, "/v1/diagnoses", [dark, dark]).json()
    assert "too_dark" in both["quality"]
    assert "too_dark" not in post(client, "/v1/diagnoses", [dark, photo()]).json()["quality"]


@pytest.mark.parametrize(
    ("setting", "query", "kept"),
    [
        ("consent", "", False),
        ("consent", "?keep_photo=true", True),
        ("always", "", True),
        ("never", "?keep_photo=true", False),
    ],
)
def test_photos_are_kept_as_agreed(
    null_triton: TritonProcess, tmp_path: Path, setting: str, query: str, kept: bool
) -> None:
    with running_gateway(null_triton.grpc_url, tmp_path / "log", keep_photos=setting) as gateway:
        for path in ("/v1/predict", "/v1/diagnoses", "/v1/predict:batch"):
            body = httpx2.post(f"{gateway.url}{path}{query}", files={"file": photo()}).json()
            first = (body.get("photos") or body.get("results") or [{"prediction": body}])[0]["prediction"]
            address = f"{gateway.url}/v1/predictions/{first['prediction_id']}"
            if kept:
                wait_until(lambda: httpx2.get(address).json()["photo_kept"], 5, "photo kept")  # noqa: B023
            else:
                time.sleep(0.3)
                assert not httpx2.get(address).json()["photo_kept"]
