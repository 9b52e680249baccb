"""What is asked of Triton beside the probabilities, and what a release may say: a real Triton, then the parameters alone."""

import asyncio
import json
from collections.abc import Iterator

import grpc
import numpy as np
import pytest
from null_repository import (
    CLASS_NAMES,
    EXPLAINED,
    MEMBERS,
    OUTLIER_THRESHOLD,
    VIEW,
    release_parameters,
    write_ensemble,
    write_null_model,
)
from photos import photo
from processes import TritonProcess, free_ports

from gateway import errors
from gateway.predictions.replies import Prediction, advice_on, decide, word_prediction
from gateway.settings import Settings
from gateway.triton.client import Triton
from gateway.triton.release import Answer, InvalidReleaseError, LeafClass, Release, read_release

MEMBER = {"name": "efficientnet_b4", "output": "answer_efficientnet_b4"}


@pytest.fixture(scope="module")
def explaining_triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonProcess]:
    """Triton with release 1, plain, release 2, with maps and an outlier score, and 3 and 4, which promise too much."""
    repository = tmp_path_factory.mktemp("explaining_repository")
    write_null_model(repository)
    ensembles = (
        write_ensemble(repository, 1),
        write_ensemble(repository, 2, **EXPLAINED),
        write_ensemble(repository, 3, **EXPLAINED | {"outlier": {"output": "activation_map_vit_base_384"}}),
        write_ensemble(repository, 4, members=[MEMBER, {"name": "vit_base_384", "output": "no_such_output"}]),
    )
    triton = TritonProcess(repository, free_ports(3), load=ensembles)
    triton.start()
    yield triton
    triton.stop()


def ask(triton: TritonProcess, number: int, order: str = "", **options: object) -> tuple[Release, Answer]:
    """The answer of one release."""

    async def call() -> tuple[Release, Answer]:
        client = Triton(Settings(triton_url=triton.grpc_url))
        try:
            name = f"leaf_ensemble_{number}"
            release = read_release(name, await client.model_parameters(name))
            return release, await client.infer(release, photo(order), "test", **options)
        finally:
            await client.close()

    return asyncio.run(call())


def release_of(**changes: object) -> Release:
    """A release as its parameters alone describe it."""
    return read_release(
        "leaf_ensemble_1", {key: json.dumps(value) for key, value in release_parameters(1, **changes).items()}
    )


def test_plain_release_is_asked_for_probabilities_alone(explaining_triton: TritonProcess) -> None:
    _, answer = ask(explaining_triton, 1, explain=True)
    assert (answer.outlier_score, answer.activation_maps) == (None, {})


def test_outlier_score_comes_always_and_maps_only_when_asked_for(explaining_triton: TritonProcess) -> None:
    _, answer = ask(explaining_triton, 2, "outlier=4.5")
    assert (answer.outlier_score, answer.activation_maps) == (4.5, {})
    _, answer = ask(explaining_triton, 2, "hot=2,0,5", explain=True)
    assert answer.outlier_score == 0
    assert list(answer.activation_maps) == list(MEMBERS)
    for cells in answer.activation_maps.values():
        assert cells.shape == (len(CLASS_NAMES), 12, 12)
        assert cells.sum() == cells[2, 0, 5] == 1


def test_a_broken_release_does_not_tell_people_that_their_photo_is_broken(explaining_triton: TritonProcess) -> None:
    with pytest.raises(errors.InferenceFailed):
        ask(explaining_triton, 4)


def test_output_of_another_shape_than_promised_is_not_passed_on(explaining_triton: TritonProcess) -> None:
    with pytest.raises(errors.InferenceFailed, match="activation_map_vit_base_384"):
        ask(explaining_triton, 3)


@pytest.mark.parametrize(
    ("score", "decision"), [(OUTLIER_THRESHOLD, "accepted"), (OUTLIER_THRESHOLD + 0.01, "rejected")]
)
def test_strange_photo_is_rejected_before_anything_else(
    explaining_triton: TritonProcess, score: float, decision: str
) -> None:
    release, answer = ask(explaining_triton, 2, f"outlier={score}")
    reply = word_prediction(release, answer, "en")
    assert reply["decision"] == decision
    assert bool(reply["prediction_set"]) == bool(reply["advice"]) == (decision == "accepted")


def test_trace_context_travels_as_metadata() -> None:
    seen: dict[str, str] = {}

    async def unknown_model(_: bytes, context: grpc.aio.ServicerContext) -> bytes:
        seen.update(context.invocation_metadata())
        await context.abort(grpc.StatusCode.NOT_FOUND, "unknown model")

    async def call() -> None:
        server = grpc.aio.server()
        methods = {"ModelInfer": grpc.unary_unary_rpc_method_handler(unknown_model)}
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler("inference.GRPCInferenceService", methods)]
        )
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        client = Triton(Settings(triton_url=f"127.0.0.1:{port}"))
        with pytest.raises(errors.ReleaseGone):
            await client.infer(release_of(), photo(), "test", headers={"traceparent": "00-0a-0b-01"})
        await client.close()
        await server.stop(0)

    asyncio.run(call())
    assert seen["traceparent"] == "00-0a-0b-01"


def test_release_says_what_it_knows_about_itself() -> None:
    crop, metrics = {"en": "cassava", "sw": "muhogo"}, {"accuracy_micro": 0.7, "recall_by_class": [0.5, None]}
    release = release_of(**EXPLAINED, crop=crop, metrics=metrics, weights=[3, 1])
    assert (release.crop, release.metrics, release.weights) == (crop, metrics, (0.75, 0.25))
    assert release.outlier is not None
    assert release.outlier.threshold == OUTLIER_THRESHOLD
    assert (release.classes[0].advice, release.classes[0].source) == ({"en": "Ask the extension service."}, "none")
    assert [(m.activation_map, m.view.height if m.view else 0) for m in release.members] == [
        (f"activation_map_{name}", VIEW["height"]) for name in MEMBERS
    ]


def test_older_releases_without_all_that_are_read_too() -> None:
    old = {key: value for key, value in release_parameters(1).items() if key not in ("weights", "crop", "metrics")}
    release = read_release("leaf_ensemble_1", {key: json.dumps(value) for key, value in old.items()})
    assert (release.weights, release.outlier, release.limits.reduced_side) == ((0.5, 0.5), None, 1024)


@pytest.mark.parametrize(
    ("view", "side"),
    [
        (VIEW, 768),
        (VIEW | {"height": 300, "crop_pct": 0.9}, 854),  # the photo's shorter side is scaled to 384 / 0.9, rounded up
        (None, 1024),  # one member's view is not known
    ],
)
def test_reduced_photos_keep_twice_the_largest_view(view: object, side: int) -> None:
    members = [MEMBER | {"view": VIEW | {"height": 224, "width": 224}}, MEMBER | {"name": "b", "view": view}]
    assert release_of(members=members).limits.reduced_side == side


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"weights": [1]}, id="weights-for-another-number-of-members"),
        pytest.param({"weights": [0, 0]}, id="weights-of-nothing"),
        pytest.param({"weights": [2, -1]}, id="negative-weight"),
        pytest.param({"weights": [float("nan"), 1]}, id="weight-that-is-no-number"),
        pytest.param({"outlier": {"threshold": 3}}, id="outlier-without-output"),
        pytest.param({"outlier": {"output": "outlier_score", "threshold": float("inf")}}, id="infinite-threshold"),
        pytest.param({"members": [MEMBER | {"activation_map": ""}]}, id="map-without-name"),
        pytest.param({"members": [MEMBER | {"view": VIEW | {"crop_mode": "border"}}]}, id="unknown-crop-mode"),
        pytest.param({"members": [MEMBER | {"view": VIEW | {"crop_pct": 0}}]}, id="crop-of-nothing"),
        pytest.param({"members": [MEMBER | {"view": VIEW | {"height": 0}}]}, id="view-without-pixels"),
        pytest.param({"members": [MEMBER | {"view": {"height": 384}}]}, id="half-a-view"),
        pytest.param({"crop": "cassava"}, id="crop-without-language"),
        pytest.param({"metrics": [0.9]}, id="metrics-without-names"),
        pytest.param({"classes": [{"key": "a", "names": {}, "advice": "Ask."}]}, id="advice-without-language"),
        pytest.param({"thresholds": {"prediction_set_probability": float("nan")}}, id="threshold-that-is-no-number"),
    ],
)
def test_bad_values_make_a_release_invalid(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidReleaseError, match="leaf_ensemble_1"):
        release_of(**{"weights": []} | changes)


@pytest.mark.parametrize(
    ("score", "threshold", "decision"),
    [(9.0, 3.0, "rejected"), (3.0, 3.0, "accepted"), (9.0, None, "accepted"), (None, 3.0, "accepted")],
)
def test_outlier_score_decides_only_above_a_threshold(
    score: float | None, threshold: float | None, decision: str
) -> None:
    assert decide([0.9, 0.1], 0.5, score, threshold)[0] == decision
    assert decide([0.9, 0.1], None, 9.0, 3.0) == ("rejected", [])


def test_reply_has_all_keys_of_a_prediction_in_order() -> None:
    release = release_of()
    rows = [[0.7, 0.1, 0.1, 0.05, 0.05]] * 3
    ensemble, *members = np.array(rows, np.float32)
    reply = word_prediction(release, Answer(ensemble, tuple(members)), "sw", ["blurred"])
    assert list(reply) == list(Prediction.model_fields)
    assert (reply["quality"], reply["advice"], reply["advice_source"]) == (
        ["blurred"],
        "Ask the extension service.",
        "none",
    )


def test_advice_comes_in_the_language_or_english_or_not_at_all() -> None:
    known = LeafClass(key="a", names={}, advice={"en": "Ask.", "sw": "Uliza."}, source="FAO")
    assert [advice_on(known, language) for language in ("sw", "fr")] == [("Uliza.", "FAO"), ("Ask.", "FAO")]
    assert advice_on(LeafClass(key="a", names={}, advice={"sw": "Uliza."}, source="FAO"), "en") == (None, None)
    assert advice_on(LeafClass(key="a", names={}, advice={"en": "Ask."}), "en") == ("Ask.", None)
