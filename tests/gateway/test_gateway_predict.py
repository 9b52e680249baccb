"""The reply of contract 3."""

import json
import time

import httpx2
import pytest
from null_repository import CLASS_NAMES, MEMBERS
from photos import encode, photo, picture
from starlette.requests import Request

from gateway.predictions.question import ask
from gateway.predictions.replies import Prediction, decide

ENGLISH = [names["en"] for names in CLASS_NAMES.values()]


def predict(client: httpx2.Client, image: bytes, **headers: str) -> dict[str, object]:
    reply = client.post("/v1/predict", content=image, headers=headers)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_keys_stand_in_the_contracts_order(client: httpx2.Client) -> None:
    assert list(predict(client, photo())) == [
        "predicted_class_id",
        "class_name",
        "confidence",
        "probabilities",
        "decision",
        "prediction_set",
        "members",
        "release",
        "prediction_id",
        "request_id",
        "timings_ms",
        "quality",
        "advice",
        "advice_source",
        "explanation",
    ]


def test_reply_is_what_openapi_documents(client: httpx2.Client) -> None:
    Prediction.model_validate(predict(client, photo()), strict=True)


def test_probabilities_stand_in_class_order(client: httpx2.Client) -> None:
    reply = predict(client, photo("probabilities=0.1,0.6,0.1,0.1,0.1"))
    assert list(reply["probabilities"].items()) == list(zip(ENGLISH, [0.1, 0.6, 0.1, 0.1, 0.1], strict=True))
    assert (reply["predicted_class_id"], reply["class_name"], reply["confidence"]) == (1, ENGLISH[1], 0.6)


def test_each_member_is_reported(client: httpx2.Client) -> None:
    members = predict(client, photo())["members"]
    assert [member["name"] for member in members] == list(MEMBERS)
    assert all(list(member["probabilities"]) == ENGLISH for member in members)


def test_timings_add_up(client: httpx2.Client) -> None:
    timings = predict(client, photo())["timings_ms"]
    assert list(timings) == ["receive", "queue", "check", "infer", "respond", "total"]
    assert min(timings.values()) >= 0
    assert sum(list(timings.values())[:-1]) == pytest.approx(timings["total"], abs=0.01)


def test_the_total_is_what_the_caller_waits(client: httpx2.Client) -> None:
    started = time.perf_counter()
    timings = predict(client, photo("sleep=0.3"))["timings_ms"]
    waited_ms = (time.perf_counter() - started) * 1000
    assert 300 < timings["infer"] <= timings["total"] < waited_ms


def without_ids(reply: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in reply.items() if not key.endswith("_id") and key != "timings_ms"}


@pytest.mark.parametrize("path", ["/v1/predict", "/predict"])
def test_multipart_and_raw_give_the_same(client: httpx2.Client, path: str) -> None:
    raw = client.post(path, content=photo())
    form = client.post(path, files={"file": ("leaf.jpg", photo())}, data={"note": "a field that is not read"})
    assert (raw.status_code, form.status_code) == (200, 200)
    assert without_ids(raw.json()) == without_ids(form.json())


@pytest.mark.parametrize("content_type", ["image/jpeg", "text/plain", "application/x-www-form-urlencoded", ""])
def test_declared_type_of_a_raw_body_is_not_trusted(client: httpx2.Client, content_type: str) -> None:
    predict(client, photo(), **{"Content-Type": content_type})


@pytest.mark.parametrize(
    ("wish", "language", "first"),
    [
        ("sw", "sw", "Baka Bakteria ya Muhogo"),
        ("sw-KE,en;q=0.5", "sw", "Baka Bakteria ya Muhogo"),
        ("en;q=0.4, sw;q=0.9", "sw", "Baka Bakteria ya Muhogo"),
        ("sw;q=0, de", "en", ENGLISH[0]),
        ("sw;q=wrong", "en", ENGLISH[0]),
        ("*", "en", ENGLISH[0]),
        ("", "en", ENGLISH[0]),
    ],
)
def test_names_follow_accept_language(client: httpx2.Client, wish: str, language: str, first: str) -> None:
    reply = client.post("/v1/predict", content=photo(), headers={"Accept-Language": wish})
    assert reply.headers["Content-Language"] == language
    assert (reply.json()["class_name"], next(iter(reply.json()["probabilities"]))) == (first, first)


def test_missing_translation_falls_back_to_english(client: httpx2.Client) -> None:
    assert "Cassava Green Mottle" in predict(client, photo(), **{"Accept-Language": "sw"})["probabilities"]


def test_json_is_utf8_and_finite(client: httpx2.Client) -> None:
    reply = client.post("/v1/predict", content=photo())
    json.loads(reply.content.decode("utf-8"), parse_constant=pytest.fail)


@pytest.mark.parametrize(
    ("probabilities", "decision", "classes"),
    [
        ("0.9,0.025,0.025,0.025,0.025", "accepted", [0]),
        ("0.05,0.3,0.6,0.025,0.025", "uncertain", [2, 1]),
        ("0.19,0.19,0.19,0.19,0.19", "rejected", []),
    ],
)
def test_decision_follows_the_prediction_set(
    client: httpx2.Client, probabilities: str, decision: str, classes: list[int]
) -> None:
    reply = predict(client, photo(f"probabilities={probabilities}"))
    assert (reply["decision"], reply["prediction_set"]) == (decision, [ENGLISH[c] for c in classes])


def test_without_thresholds_every_class_is_plausible() -> None:
    assert decide([0.2, 0.5, 0.3], None) == ("uncertain", [1, 2, 0])


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(encode(picture(), "PNG"), id="png"),
        pytest.param(encode(picture().quantize(16), "PNG"), id="png-palette"),
        pytest.param(encode(picture().convert("RGBA"), "PNG"), id="png-alpha"),
        pytest.param(encode(picture().convert("L").convert("I;16"), "PNG"), id="png-16-bit"),
        pytest.param(encode(picture().convert("1"), "PNG"), id="png-1-bit"),
        pytest.param(encode(picture().convert("CMYK")), id="jpeg-cmyk"),
        pytest.param(encode(picture().convert("L")), id="jpeg-grey"),
        pytest.param(encode(picture(), progressive=True), id="jpeg-progressive"),
        pytest.param(encode(picture(), restart_marker_blocks=1, progressive=True), id="jpeg-progressive-restarts"),
        pytest.param(encode(picture(), subsampling=0, quality=100), id="jpeg-444"),
        pytest.param(encode(picture()) + b"\x00\x00\x00\x18ftypmp42" + bytes(5000), id="jpeg-with-video"),
        pytest.param(encode(picture(), "MPO", save_all=True, append_images=[picture(64, 48)]), id="jpeg-multi-picture"),
        pytest.param(encode(picture(), "WEBP"), id="webp"),
        pytest.param(encode(picture(), "WEBP", lossless=True), id="webp-lossless"),
        pytest.param(
            encode(picture().convert("RGBA"), "WEBP", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0"), id="webp-extended"
        ),
        pytest.param(encode(picture(), "BMP"), id="bmp"),
        pytest.param(encode(picture(), "TIFF"), id="tiff"),
        pytest.param(encode(picture(), "TIFF", compression="tiff_lzw"), id="tiff-lzw"),
        pytest.param(encode(picture(), "TIFF", compression="jpeg"), id="tiff-jpeg"),
        pytest.param(encode(picture(), "AVIF"), id="avif"),
        pytest.param(encode(picture(32, 256)), id="smallest-and-longest"),
    ],
)
def test_ordinary_variants_are_answered(client: httpx2.Client, image: bytes) -> None:
    predict(client, image)


def test_a_route_that_admits_nobody_asks_nothing() -> None:
    request = Request({"type": "http", "headers": [], "client": ("127.0.0.1", 5), "state": {"request_id": "1"}})
    with pytest.raises(AttributeError, match="caller"):
        ask(request, "predict")
