"""`python -m export release`: what it writes, what it refuses, and that a real Triton serves it with torch's answers."""

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import timm
import torch
import tritonclient.grpc as grpc
from google.protobuf import text_format
from pictures import encoded, textured
from PIL import Image
from processes import ROOT, TritonProcess, free_ports
from timm.data import create_transform, resolve_model_data_config
from triton_client import infer
from tritonclient.grpc import model_config_pb2 as pb

from export.__main__ import main
from export.averaging import Source, averaging_model
from export.release import next_number
from export.thresholds import prediction_set_probability


def release(trained: Path, repository: Path, *flags: str, names: tuple[str, ...] = ("small_cnn", "small_vit")) -> int:
    """Run the command; returns its exit code."""
    folders = [str(trained / name) for name in names]
    return main(["release", "--members", *folders, "--repository", str(repository), "--check-photos", "2", *flags])


@pytest.fixture(scope="module")
def repository(released: Path) -> Path:
    """A repository with releases 1 and 2, the second with weights stored as float16."""
    return released


@pytest.fixture(scope="module")
def grown(released: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with release 3: one member has another name, none was evaluated, each has its own precision."""
    folder = tmp_path_factory.mktemp("grown")
    members = shutil.copytree(trained, folder / "members")
    (members / "small_vit").rename(members / "other_vit")
    for file in members.rglob("*.npz"):
        file.unlink()
    (folder / "photos").mkdir()
    for seed in range(3):  # two are for the checks
        textured(80, 80, seed=seed).save(folder / "photos" / f"{seed}.png")
    shutil.copytree(released, folder / "repository")
    flags = ("--photos", str(folder / "photos"), "--cpu-precision", "bfloat16", "other_vit=int8")
    flags = (*flags, "--latency-seconds", "0")
    assert release(members, folder / "repository", *flags, names=("small_cnn", "other_vit")) == 0
    return folder / "repository"


@pytest.fixture(scope="module")
def client(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[grpc.InferenceServerClient]:
    """A real Triton on both releases; its log lies beside the link."""
    link = tmp_path_factory.mktemp("served") / "repository"
    link.symlink_to(repository)
    triton = TritonProcess(link, free_ports(3), load=("leaf_ensemble_1", "leaf_ensemble_2"))
    triton.start()
    with grpc.InferenceServerClient(triton.grpc_url) as connection:
        yield connection
    triton.stop()


def parameters(repository: Path, number: int) -> dict[str, object]:
    """What a client reads from an ensemble."""
    text = (repository / f"leaf_ensemble_{number}" / "config.pbtxt").read_text(encoding="utf-8")
    config = text_format.Parse(text, pb.ModelConfig())
    return {key: json.loads(value.string_value) for key, value in config.parameters.items()}


def test_the_served_activation_map_is_grad_cam(client: grpc.InferenceServerClient, trained: Path) -> None:
    network = timm.create_model(f"local-dir:{trained / 'small_cnn'}", pretrained=True).eval()
    for seed in range(5):
        photo = encoded(textured(260, 200, seed=seed))
        served = infer(client, "leaf_ensemble_1", photo, ["activation_map_small_cnn"])["activation_map_small_cnn"]
        pixels = infer(client, "preprocess", photo, ["pixels_small_cnn"])["pixels_small_cnn"]
        features = network.forward_features(torch.tensor(pixels)[None]).detach().requires_grad_()
        logits = network.forward_head(features)[0]
        for wanted, logit in zip(served, logits, strict=True):
            (gradient,) = torch.autograd.grad(logit, features, retain_graph=True)
            cam = (gradient.mean((2, 3), keepdim=True) * features).sum(1)[0].detach().numpy()
            scaled = [m / np.abs(m).max() for m in (wanted, cam)]
            assert np.abs(scaled[0] - scaled[1]).max() < 1e-3
        assert np.abs(served).max() > 0.01


def test_outputs_that_nobody_asks_for_harm_nothing(client: grpc.InferenceServerClient) -> None:
    photo = encoded(textured(200, 150))
    both = infer(client, "leaf_ensemble_1", photo, ["probabilities", "activation_map_small_cnn", "outlier_score"])
    for outputs in (["probabilities"], ["outlier_score"], ["activation_map_small_cnn"]):
        for name, value in infer(client, "leaf_ensemble_1", photo, outputs).items():
            assert np.allclose(value, both[name], atol=1e-6)


@pytest.mark.parametrize("number", [1, 2])
def test_triton_answers_what_torch_answers(
    client: grpc.InferenceServerClient, repository: Path, trained: Path, number: int
) -> None:
    temperatures = {m["name"]: m["temperature"] for m in parameters(repository, number)["members"]}
    photo = encoded(textured(300, 200))
    names = ["small_cnn", "small_vit"]
    served = infer(client, f"leaf_ensemble_{number}", photo, ["probabilities", *(f"answer_{n}" for n in names)])
    for name in names:
        network = timm.create_model(f"local-dir:{trained / name}", pretrained=True).eval()
        view = create_transform(**resolve_model_data_config(network))(Image.open(io.BytesIO(photo)))
        with torch.inference_mode():
            expected = (network(view[None]) / temperatures[name]).softmax(1)[0].numpy()
        assert np.abs(served[f"answer_{name}"] - expected).max() < 0.01
    mean = (served["answer_small_cnn"] + served["answer_small_vit"]) / 2
    assert np.abs(served["probabilities"] - mean).max() < 1e-6


def test_a_release_says_what_a_client_must_know(repository: Path) -> None:
    facts = parameters(repository, 2)
    assert facts["release"] == 2
    assert facts["task"] == "cassava"
    assert facts["classes"][0]["names"]["en"] == "Cassava Bacterial Blight"
    temperature = facts["members"][0].pop("temperature")
    assert 0.1 < temperature < 10
    assert temperature != 1
    assert facts["members"][0] == {
        "name": "small_cnn",
        "architecture": "test_efficientnet",
        "output": "answer_small_cnn",
        "activation_map": "activation_map_small_cnn",
        "view": {"height": 160, "width": 160, "crop_pct": 0.95, "crop_mode": "squash"},
    }
    assert "activation_map" not in facts["members"][1]
    assert facts["outlier"] == {"output": "outlier_score", "threshold": None}
    assert facts["weights"] == [0.5, 0.5]
    assert facts["thresholds"]["coverage"] == 0.9
    assert 0 < facts["thresholds"]["prediction_set_probability"] < 1
    assert facts["metrics"]["test_photos"] == 40


def test_releases_share_steps_and_pin_their_own_versions(repository: Path) -> None:
    for step in ("preprocess", "small_cnn", "small_vit", "average"):
        assert {p.name for p in (repository / step).iterdir() if p.is_dir()} >= {"1", "2"}
    text = (repository / "leaf_ensemble_2/config.pbtxt").read_text(encoding="utf-8")
    steps = text_format.Parse(text, pb.ModelConfig()).ensemble_scheduling.step
    assert {step.model_version for step in steps} == {2}


def test_float16_halves_the_file(repository: Path) -> None:
    full, half = ((repository / "small_cnn" / n / "model.onnx").stat().st_size for n in "12")
    assert half < 0.7 * full


def test_nothing_is_left_aside(repository: Path) -> None:
    assert not list(repository.rglob(".release*"))
    assert not list(repository.rglob("*.new"))


def copied(trained: Path, tmp_path: Path) -> Path:
    """The members, to be spoiled."""
    return shutil.copytree(trained, tmp_path / "members")


def change_json(file: Path, **values: object) -> None:
    """Replace keys of a JSON object."""
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def change_view(folder: Path, **values: object) -> None:
    """Replace keys of a member's pretrained_cfg."""
    cfg = json.loads((folder / "config.json").read_text())["pretrained_cfg"]
    change_json(folder / "config.json", pretrained_cfg=cfg | values)


SPOILED = {
    "no weights": (lambda m: (m / "small_cnn/model.safetensors").unlink(), "model.safetensors is missing"),
    "no config": (lambda m: (m / "small_cnn/config.json").unlink(), "not a trained-model folder"),
    "config is no JSON": (lambda m: (m / "small_cnn/config.json").write_text("{"), "is not JSON"),
    "config is a list": (lambda m: (m / "small_cnn/config.json").write_text("[]"), "must hold a JSON object"),
    "class count": (
        lambda m: change_json(m / "small_cnn/config.json", num_classes=4),
        "4 classes, classes.json lists 5",
    ),
    "unknown architecture": (
        lambda m: change_json(m / "small_cnn/config.json", architecture="no_net"),
        "cannot load no_net",
    ),
    "grey input": (lambda m: change_view(m / "small_cnn", input_size=[1, 96, 96]), "takes 1 channels"),
    "crop mode": (lambda m: change_view(m / "small_cnn", crop_mode="border"), "crop_mode 'border' cannot be served"),
    "interpolation": (lambda m: change_view(m / "small_cnn", interpolation="random"), "'random' cannot be served"),
    "oblong centre crop": (lambda m: change_view(m / "small_vit", input_size=[3, 64, 96]), "needs crop_mode 'squash'"),
    "no architecture": (
        lambda m: change_json(m / "small_cnn/config.json", **{"pretrained_cfg": None}),
        "is not timm's",
    ),
    "no input size": (
        lambda m: change_json(m / "small_cnn/config.json", pretrained_cfg={"mean": [0.5]}),
        "its pretrained_cfg is not timm's",
    ),
    "logits of other classes": (
        lambda m: np.savez(
            m / "small_cnn/test.npz", **changed(m / "small_cnn/test.npz", logits=np.zeros((40, 4), np.float32))
        ),
        "holds logits (40, 4) and labels (40,) of 40 photos and 5 classes",
    ),
    "labels of no class": (
        lambda m: np.savez(m / "small_cnn/test.npz", **changed(m / "small_cnn/test.npz", labels=np.full(40, 5))),
        "labels of no class",
    ),
    "logits that are no numbers": (
        lambda m: np.savez(
            m / "small_cnn/test.npz", **changed(m / "small_cnn/test.npz", logits=np.full((40, 5), np.nan))
        ),
        "logits that are no numbers",
    ),
    "damaged predictions": (lambda m: (m / "small_cnn/test.npz").write_bytes(b"no archive"), "test.npz is damaged"),
    "one without evaluation": (lambda m: (m / "small_cnn/test.npz").unlink(), "Only one of small_cnn and small_vit"),
    "other order": (
        lambda m: change_json(
            m / "small_vit/classes.json",
            classes=json.loads((m / "small_vit/classes.json").read_text())["classes"][::-1],
        ),
        "differ in classes or their order",
    ),
    "other split": (
        lambda m: np.savez(m / "small_vit/test.npz", **changed(m / "small_vit/test.npz", split_hash=np.array("other"))),
        "split differently",
    ),
}


def changed(file: Path, **values: np.ndarray) -> dict[str, np.ndarray]:
    """Stored predictions with other arrays."""
    with np.load(file) as arrays:
        return {**arrays, **values}


@pytest.mark.parametrize(("spoil", "message"), SPOILED.values(), ids=SPOILED.keys())
def test_unusable_members_are_refused(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: object, message: str
) -> None:
    members = copied(trained, tmp_path)
    spoil(members)
    assert release(members, tmp_path / "repository") == 1
    assert message in capsys.readouterr().err
    assert not list((tmp_path / "repository").glob("leaf_ensemble_*"))


def test_names_that_cannot_be_steps_are_refused(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    members = copied(trained, tmp_path)
    (members / "small_cnn").rename(members / "Small-CNN")
    assert release(members, tmp_path / "repository", names=("Small-CNN",)) == 1
    assert "lower_snake_case" in capsys.readouterr().err
    assert release(members, tmp_path / "repository", names=("small_vit", "small_vit")) == 1
    assert "share a name" in capsys.readouterr().err


def test_another_configuration_under_the_same_name_is_refused(
    trained: Path, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = shutil.copytree(repository, tmp_path / "repository")
    before = {p: p.read_bytes() for p in repository.rglob("*") if p.is_file()}
    members = copied(trained, tmp_path)
    change_view(members / "small_vit", input_size=[3, 96, 96])
    assert release(members, repository) == 1
    assert "differs from what this release needs" in capsys.readouterr().err
    assert {p: p.read_bytes() for p in repository.rglob("*") if p.is_file()} == before


def test_a_photo_folder_without_photos_is_refused(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert release(trained, tmp_path / "repository", "--photos", str(tmp_path)) == 1
    assert "holds no photo" in capsys.readouterr().err


def test_members_without_evaluation_promise_nothing(grown: Path) -> None:
    facts = parameters(grown, 3)
    assert facts["thresholds"] == {"coverage": None, "prediction_set_probability": None}
    assert facts["metrics"] == {}


def test_the_averaging_step_weighs() -> None:
    sources = [Source(name, f"answer_{name}", f"statistics_{name}", 4) for name in "ab"]
    model = averaging_model(sources, "mean", "score", [3.0, 1.0], 2)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    a, b = np.array([[0.9, 0.1]], np.float32), np.array([[0.5, 0.5]], np.float32)
    given = {"a": a, "b": b, "statistics_a": np.ones((1, 4), np.float32), "statistics_b": np.ones((1, 4), np.float32)}
    mean, answer_a, answer_b, score = session.run(["mean", "answer_a", "answer_b", "score"], given)
    assert np.allclose(mean, 0.75 * a + 0.25 * b)
    assert np.allclose(score, -np.log(0.8))
    assert (answer_a == a).all()
    assert (answer_b == b).all()
    onnx.checker.check_model(model)


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95])
def test_prediction_sets_hold_the_truth_as_often_as_promised(coverage: float) -> None:
    rng = np.random.default_rng(0)
    held = []
    for _ in range(200):
        labels = rng.integers(0, 5, 400)
        logits = rng.normal(size=(400, 5)) + 1.5 * np.eye(5)[labels]
        probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        threshold = prediction_set_probability(probabilities[:200], labels[:200], coverage)
        held.append((probabilities[200:][np.arange(200), labels[200:]] >= threshold).mean())
    assert coverage - 0.01 < np.mean(held) < coverage + 0.02


@pytest.mark.parametrize(("coverage", "photos", "rank"), [(0.9, 99, 10), (0.9, 98, 9), (0.95, 99, 5), (0.8, 4, 1)])
def test_the_threshold_is_the_rank_that_the_method_says(coverage: float, photos: int, rank: int) -> None:
    truth = np.arange(1, photos + 1) / (photos + 1)
    threshold = prediction_set_probability(np.stack([truth, 1 - truth], 1), np.zeros(photos, int), coverage)
    assert threshold == truth[rank - 1]


def test_too_few_photos_exclude_no_class() -> None:
    assert prediction_set_probability(np.array([[0.6, 0.4]]), np.array([0]), 0.9) == 0.0


def test_other_members_get_numbered_steps_beside_the_first(grown: Path) -> None:
    assert {p.name for p in grown.iterdir()} >= {"preprocess", "preprocess_2", "average_2", "other_vit"}
    text = (grown / "leaf_ensemble_3/config.pbtxt").read_text(encoding="utf-8")
    steps = text_format.Parse(text, pb.ModelConfig()).ensemble_scheduling.step
    assert [step.model_name for step in steps] == ["preprocess_2", "small_cnn", "other_vit", "average_2"]


@pytest.mark.parametrize("words", [["half"], ["no_member=int8"], ["small_vit=half"]], ids=" ".join)
def test_unknown_precisions_are_refused(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert release(trained, tmp_path / "repository", "--cpu-precision", *words) == 1
    assert "float32, bfloat16, int8" in capsys.readouterr().err


def test_each_member_has_its_own_precision(grown: Path) -> None:
    said = {
        name: json.loads((grown / name / "3" / "cpu_engine.json").read_text())["precision"]
        for name in ("small_cnn", "other_vit")
    }
    assert said == {"small_cnn": "bfloat16", "other_vit": "int8"}


def test_int8_is_calibrated_on_photos(
    grown: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert json.loads((grown / "other_vit/3/cpu_engine.json").read_text())["activation_ranges"] == {}  # it is too small
    assert release(trained, tmp_path / "repository", "--cpu-precision", "small_vit=int8") == 1
    assert "int8 (small_vit) is calibrated on photos: say where some lie with --photos" in capsys.readouterr().err


@pytest.mark.parametrize("coverage", ["0", "1", "1.5"])
def test_a_coverage_that_is_no_share_is_refused(trained: Path, tmp_path: Path, coverage: str) -> None:
    with pytest.raises(SystemExit):
        release(trained, tmp_path / "repository", "--coverage", coverage)


def test_a_photo_that_does_not_decode_is_named(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"\xff\xd8 broken")
    assert release(trained, tmp_path / "repository", "--photos", str(tmp_path / "photos")) == 1
    assert "broken.jpg cannot be decoded" in capsys.readouterr().err


def test_too_long_advice_is_refused_before_the_work(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    members = copied(trained, tmp_path)
    for name in ("small_cnn", "small_vit"):
        change_json(members / name / "classes.json", crop={"en": "x" * 70_000})
    assert release(members, tmp_path / "repository") == 1
    assert "shorten names and advice" in capsys.readouterr().err


def test_networks_say_nothing_of_the_machine_that_wrote_them(repository: Path) -> None:
    in_git = ROOT.glob("demo/model_repository/*/*/model.onnx")
    for file in (*repository.glob("*/*/model.onnx"), *in_git):
        content = file.read_bytes()
        assert b"stack_trace" not in content
        assert str(ROOT).encode() not in content


def test_a_number_that_was_refused_or_pruned_never_comes_back(tmp_path: Path) -> None:
    assert next_number(tmp_path) == 1
    (tmp_path / "leaf_ensemble_2").mkdir()
    (tmp_path / ".retired" / "4").mkdir(parents=True)
    assert next_number(tmp_path) == 5
