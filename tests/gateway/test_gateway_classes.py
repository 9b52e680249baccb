"""What the current release knows and accepts."""

from pathlib import Path

import httpx2
import pytest
from null_repository import CLASS_NAMES, LIMITS, MEMBERS
from processes import running_gateway
from several import problem, triton_with

MEBIBYTE = 2**20


def test_classes_stand_in_their_order_with_names_and_advice(client: httpx2.Client) -> None:
    body = client.get("/v1/classes").json()
    assert list(body) == ["task", "crop", "release", "language", "languages", "classes"]
    assert (body["task"], body["release"], body["languages"]) == ("cassava", 1, ["en", "sw"])
    assert [one["key"] for one in body["classes"]] == list(CLASS_NAMES)
    assert [one["id"] for one in body["classes"]] == [0, 1, 2, 3, 4]
    first = body["classes"][0]
    assert first["name"] == "Cassava Bacterial Blight"
    assert (first["advice"], first["advice_source"]) == ("Ask the extension service.", "none")


def test_names_follow_the_language_and_fall_back_to_english(client: httpx2.Client) -> None:
    reply = client.get("/v1/classes", headers={"Accept-Language": "sw"})
    assert (reply.headers["Content-Language"], reply.headers["Vary"]) == ("sw", "Accept-Language")
    names = [one["name"] for one in reply.json()["classes"]]
    assert (reply.json()["language"], names[0], names[2]) == ("sw", "Baka Bakteria ya Muhogo", "Cassava Green Mottle")


@pytest.mark.parametrize("path", ["/v1/classes", "/v1/release"])
def test_what_a_client_has_is_not_sent_again(client: httpx2.Client, path: str) -> None:
    first = client.get(path)
    tag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "no-cache"
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = client.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_each_language_has_its_own_tag(client: httpx2.Client) -> None:
    tags = {client.get("/v1/classes", headers={"Accept-Language": one}).headers["ETag"] for one in ("en", "sw", "xx")}
    assert len(tags) == 2


def test_release_names_its_members_and_limits(client: httpx2.Client) -> None:
    body = client.get("/v1/release").json()
    assert (body["release"], body["task"], body["classes"]) == (1, "cassava", list(CLASS_NAMES))
    assert [member["name"] for member in body["members"]] == list(MEMBERS)
    assert [member["weight"] for member in body["members"]] == [0.5, 0.5]
    assert (body["thresholds"]["prediction_set_probability"], body["thresholds"]["coverage"]) == (0.2, 0.95)
    limits = body["limits"]
    assert {name: limits[name] for name in LIMITS} == LIMITS
    assert [one["format"] for one in limits["formats"]] == ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "HEIF", "AVIF"]
    pixels = {one["format"]: one["max_pixels"] for one in limits["formats"]}
    assert pixels["JPEG"] == LIMITS["max_pixels"] > pixels["WEBP"] > 20_000_000
    assert limits["batch"] == {"max_photos": 16, "max_bytes": 32 * MEBIBYTE}
    assert limits["diagnosis"] == {"max_photos": 10, "max_bytes": 32 * MEBIBYTE}
    assert (limits["receive_timeout_s"], limits["answer_timeout_s"], limits["max_frames"]) == (30, 4.8, 1)


def test_everything_that_a_release_says_is_told(tmp_path: Path) -> None:
    view = {"height": 380, "width": 380, "crop_pct": 0.92, "crop_mode": "center"}
    said = {
        "members": [
            {"name": one, "output": f"answer_{one}", "architecture": f"timm_{one}", "view": view} for one in MEMBERS
        ],
        "weights": [3, 1],
        "metrics": {"test_photos": 100, "accuracy_micro": 0.9, "f1_macro": 0.8},
        "crop": {"en": "cassava", "sw": "muhogo"},
    }
    limits = {"upload_buffer_bytes": 8 * MEBIBYTE, "auth": "required"}
    with (
        triton_with(tmp_path, said) as triton,
        running_gateway(triton.grpc_url, tmp_path / "log", **limits) as gateway,
        httpx2.Client(base_url=gateway.url, timeout=10) as client,
    ):
        body = client.get("/v1/release").json()  # public: no key
        assert [one["weight"] for one in body["members"]] == [0.75, 0.25]
        assert [one["input_size"] for one in body["members"]] == [[380, 380], [380, 380]]
        assert body["members"][0]["architecture"] == "timm_efficientnet_b4"
        assert (body["metrics"], body["crop"]) == (said["metrics"], said["crop"])
        assert body["limits"]["max_bytes"] == body["limits"]["batch"]["max_bytes"] == 8 * MEBIBYTE
        assert client.get("/v1/classes", headers={"Accept-Language": "sw"}).json()["crop"] == "muhogo"
        assert client.post("/v1/predict", content=b"").status_code == 401


@pytest.mark.parametrize("path", ["/v1/classes", "/v1/release"])
def test_without_a_release_it_says_when_to_ask_again(tmp_path: Path, path: str) -> None:
    with running_gateway("127.0.0.1:9", tmp_path / "log", ready=False) as gateway:
        reply = httpx2.get(gateway.url + path)
        problem(reply, 503, "not-ready")
        assert reply.headers["Retry-After"]
