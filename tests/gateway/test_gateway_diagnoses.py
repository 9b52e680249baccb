"""Several photos of one plant, one answer."""

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import httpx2
import numpy as np
import pytest
from null_repository import CLASS_NAMES, release_parameters
from photos import photo
from processes import running_gateway
from several import post, problem, recorded, triton_with

from gateway.predictions.outcome import Outcome
from gateway.predictions.pooling import Pooled, pool
from gateway.triton.release import Answer, Release, read_release
from gateway.uploads.multipart import Upload

PATH = "/v1/diagnoses"
ENGLISH = [names["en"] for names in CLASS_NAMES.values()]


def sees(*probabilities: float) -> bytes:
    return photo("probabilities=" + ",".join(map(str, probabilities)))


SURE = sees(0.9, 0.025, 0.025, 0.025, 0.025)
TORN = sees(0.3, 0.025, 0.6, 0.05, 0.025)
STRANGE = sees(0.19, 0.19, 0.19, 0.19, 0.19)


def test_keys_stand_in_the_contracts_order(client: httpx2.Client) -> None:
    body = post(client, PATH, [SURE]).json()
    assert list(body) == [
        *("predicted_class_id", "class_name", "confidence", "probabilities", "decision", "prediction_set", "members"),
        *("release", "diagnosis_id", "request_id", "timings_ms", "quality", "advice", "advice_source"),
        *("photos_used", "agreement", "votes", "photos"),
    ]
    assert list(body["photos"][0]) == ["index", "file_name", "prediction", "used"]
    assert list(body["photos"][0]["prediction"]) == list(client.post("/v1/predict", content=SURE).json())


def test_one_photo_is_answered_as_alone(client: httpx2.Client) -> None:
    for image in (SURE, TORN):
        alone, diagnosis = client.post("/v1/predict", content=image).json(), post(client, PATH, [image]).json()
        for key in ("class_name", "confidence", "probabilities", "decision", "prediction_set", "members", "advice"):
            assert diagnosis[key] == alone[key], key


def test_photos_are_averaged(client: httpx2.Client) -> None:
    body = post(client, PATH, [SURE, TORN]).json()
    assert list(body["probabilities"]) == ENGLISH
    assert list(body["probabilities"].values()) == pytest.approx([0.6, 0.025, 0.3125, 0.0375, 0.025], abs=1e-5)
    assert (body["class_name"], body["confidence"]) == (ENGLISH[0], pytest.approx(0.6))
    assert (body["decision"], body["prediction_set"]) == ("uncertain", [ENGLISH[0], ENGLISH[2]])
    assert (body["photos_used"], body["agreement"]) == (2, 0.5)
    assert body["votes"] == {ENGLISH[0]: 1, ENGLISH[2]: 1}
    assert [item["prediction"]["class_name"] for item in body["photos"]] == [ENGLISH[0], ENGLISH[2]]
    assert all(member["probabilities"] == body["probabilities"] for member in body["members"])


def test_rejected_and_broken_photos_have_no_say(client: httpx2.Client) -> None:
    body = post(client, PATH, [STRANGE, SURE, b"no image"]).json()
    assert (body["decision"], body["confidence"], body["photos_used"]) == ("accepted", pytest.approx(0.9), 1)
    assert [item["used"] for item in body["photos"]] == [False, True, False]
    assert body["photos"][0]["prediction"]["decision"] == "rejected"
    assert body["photos"][2]["problem"]["type"] == "/problems/unsupported-format"


def test_only_rejected_photos_are_rejected_together(client: httpx2.Client) -> None:
    body = post(client, PATH, [STRANGE, STRANGE]).json()
    assert (body["decision"], body["prediction_set"], body["advice"]) == ("rejected", [], None)
    assert (body["photos_used"], body["agreement"], body["votes"]) == (0, 0, {})


def test_no_usable_photo_says_why_of_each(client: httpx2.Client) -> None:
    body = problem(post(client, PATH, [b"no image", ("b.jpg", photo()[:-200])]), 422, "no-usable-photo")
    assert [item["problem"]["type"] for item in body["photos"]] == [
        "/problems/unsupported-format",
        "/problems/undecodable-image",
    ]
    assert [(item["index"], item["file_name"]) for item in body["photos"]] == [(0, "a0.jpg"), (1, "b.jpg")]


def test_a_service_that_fails_is_not_the_photos_fault(client: httpx2.Client) -> None:
    problem(post(client, PATH, [b"no image", photo("refuse=internal")]), 502, "inference-failed")
    assert post(client, PATH, [SURE, photo("refuse=internal")]).json()["photos_used"] == 1


def test_ten_photos_pass_and_eleven_do_not(client: httpx2.Client) -> None:
    assert post(client, PATH, [SURE] * 10).json()["photos_used"] == 10
    problem(post(client, PATH, [SURE] * 11), 422, "too-many-photos")


def test_timings_are_those_of_the_photo_done_last(client: httpx2.Client) -> None:
    timings = post(client, PATH, [photo("sleep=0.1")] * 6).json()["timings_ms"]
    assert sum(list(timings.values())[:-1]) == pytest.approx(timings["total"], abs=0.01)
    assert timings["total"] > 600


def test_names_and_advice_follow_the_language(client: httpx2.Client) -> None:
    reply = post(client, PATH, [SURE], **{"Accept-Language": "sw"})
    assert (reply.headers["Content-Language"], reply.json()["class_name"]) == ("sw", "Baka Bakteria ya Muhogo")
    assert reply.json()["votes"] == {"Baka Bakteria ya Muhogo": 1}
    assert reply.json()["advice"] == "Ask the extension service."


def test_each_photo_is_recorded_under_the_diagnosis(client: httpx2.Client) -> None:
    body = post(client, PATH, [SURE, TORN]).json()
    for item in body["photos"]:
        entry = recorded(client, item["prediction"]["prediction_id"])
        assert (entry["kind"], entry["group_id"]) == ("diagnosis", body["diagnosis_id"])
        assert entry["confidence"] == item["prediction"]["confidence"]


def test_one_release_answers_all_photos(tmp_path: Path) -> None:
    """The release that was chosen is unloaded while photos are in work: its successor answers all of them."""
    with (
        triton_with(tmp_path, {}, {}) as triton,
        running_gateway(triton.grpc_url, tmp_path / "log", group_in_flight=1, poll_interval_s=60) as gateway,
        httpx2.Client(base_url=gateway.url, timeout=10) as client,
    ):
        assert client.get("/v1/release").json()["release"] == 2
        replies: list[httpx2.Response] = []
        thread = threading.Thread(target=lambda: replies.append(post(client, PATH, [photo("sleep=0.3")] * 4)))
        thread.start()
        time.sleep(0.5)  # one or two photos are answered by release 2
        control = f"http://127.0.0.1:{triton.ports[0]}/v2/repository/models/leaf_ensemble_2"
        assert httpx2.post(f"{control}/unload", timeout=10).status_code == 200
        thread.join()
        body = replies[0].json()
        assert replies[0].status_code == 200, body
        assert {body["release"], *(item["prediction"]["release"] for item in body["photos"])} == {1}
        assert len({item["prediction"]["prediction_id"] for item in body["photos"]}) == 4


def release(threshold: float | None) -> Release:
    parameters = release_parameters(1, thresholds={"prediction_set_probability": threshold, "coverage": 0.95})
    return read_release("leaf_ensemble_1", {key: json.dumps(value) for key, value in parameters.items()})


def pooled(photos: Sequence[Sequence[float]], threshold: float | None) -> Pooled:
    one = release(threshold)
    return pool(
        [
            Outcome(
                upload=Upload(b""),
                sha256="",
                width=100,
                height=100,
                release=one,
                answer=Answer(np.array(row, np.float32), (np.array(row, np.float32),) * 2),
                quality=(),
                queue_s=0,
                check_s=0,
                infer_s=0,
                inferred_at=0,
            )
            for row in photos
        ]
    )


def test_photos_that_contradict_each_other_are_uncertain_not_rejected() -> None:
    result = pooled([[0.8, 0.0, 0.2, 0, 0], [0.0, 0.8, 0.2, 0, 0]], threshold=0.5)
    assert (result.decision, sorted(result.plausible)) == ("uncertain", [0, 1])
    assert result.agreement == 0.5


def test_the_likeliest_class_is_always_plausible_where_any_photo_has_a_say() -> None:
    result = pooled([[0.5, 0.0, 0.45, 0.05, 0], [0.0, 0.5, 0.45, 0.05, 0]], threshold=0.48)
    assert result.class_id == 2
    assert (result.plausible, result.agreement) == ([2, 0, 1], 0)


def test_one_sure_photo_cannot_veto_a_class() -> None:
    """The logarithmic pool would leave nothing of class 0 here."""
    result = pooled([[0.9, 0.1, 0, 0, 0], [0.9, 0.1, 0, 0, 0], [0.0, 1.0, 0, 0, 0]], threshold=None)
    assert result.class_id == 0
    assert result.agreement == pytest.approx(2 / 3)


def test_without_thresholds_nothing_is_accepted() -> None:
    result = pooled([[0.9, 0.1, 0, 0, 0]] * 2, threshold=None)
    assert (result.decision, len(result.plausible)) == ("uncertain", 5)
