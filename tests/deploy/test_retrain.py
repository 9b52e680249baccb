"""`make retrain`, really executed: what an expert confirmed comes back as a release that answers some callers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx2
import numpy as np
import pytest
import yaml
from processes import ROOT, TRITON_PYTHON, TritonProcess, free_ports, running_gateway, wait_until
from tinted_photos import TINY, make_photos

from deploy import retrain as retraining
from export.__main__ import main as export
from training.__main__ import main as training

GATES = ("--gate", "coverage=off", "ensemble_loss=off", "refused_leaves=off", "refused_others=off")
"""Off: sixty photos of noise say nothing of these."""
CONFIRMED = 10


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Base data."""
    return make_photos(tmp_path_factory.mktemp("base") / "data")


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that learns tints in seconds."""
    file = tmp_path_factory.mktemp("preset") / "tiny.yaml"
    values = yaml.safe_load(TINY)
    values["augmentation"] = {"clean_epochs": 25, "mix_probability": 0.0, "hue": 0.0, "erasing": 0.0}
    values["schedule"] |= {"epochs": 25, "learning_rate": 0.01, "ema_decay": 0.0}
    file.write_text(yaml.safe_dump(values))
    return file


@pytest.fixture(scope="module")
def repository(base: Path, preset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Release 1 of one tiny member."""
    folder = tmp_path_factory.mktemp("retrain")
    member = folder / "members" / "tiny_resnet"
    assert training(["fit", "--config", str(preset), "--data", str(base), "--out", str(member)]) == 0
    repository = folder / "model_repository"
    given = ["--members", str(member), "--repository", str(repository), "--photos", str(base), *GATES]
    assert export(["release", *given]) == 0
    return repository


def confirm_feedback(url: str, photos: list[Path]) -> None:
    """Send photos that may be kept, say what they show, and settle it as an expert."""
    with httpx2.Client(base_url=url, timeout=30) as http:
        names = {c["id"]: c["key"] for c in http.get("/v1/classes").json()["classes"]}
        for photo in photos:
            label = int(photo.name[0])
            kept = http.post("/v1/predict?keep_photo=true", content=photo.read_bytes())
            assert kept.status_code == 200, kept.text
            said = {"prediction_id": kept.json()["prediction_id"], "verdict": "wrong", "class_key": names[label]}
            given = http.post("/v1/feedback", json=said)
            assert given.status_code == 201, given.text
            review = {"decision": "confirm"}
            settled = http.post(f"/v1/feedback/{given.json()['feedback_id']}/review", json=review)
            assert settled.status_code == 200, settled.text


def retrain(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "deploy.retrain", *words],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


@pytest.mark.long
def test_feedback_becomes_a_candidate(base: Path, preset: Path, repository: Path, tmp_path: Path) -> None:
    more = make_photos(tmp_path / "farmers", per_class=2, seed=1)
    photos = sorted((more / "train_images").iterdir())
    assert len(photos) == CONFIRMED
    triton = TritonProcess(repository, free_ports(3), load=("leaf_ensemble_1",))
    triton.start()
    settings = {"auth": "open", "data_dir": str(tmp_path / "state"), "model_repository": str(repository)}
    environment = {f"GATEWAY_{name.upper()}": value for name, value in settings.items()}
    environment["GATEWAY_TRITON_URL"] = triton.grpc_url
    words = ["--data", str(base), "--repository", str(repository), "--work", str(tmp_path / "work")]
    words += ["--members", f"tiny_resnet={preset}", "--share", "25", "--triton-python", str(TRITON_PYTHON)]
    try:
        with running_gateway(triton.grpc_url, tmp_path / "log", **settings) as gateway:
            nothing = retrain(environment, *words)
            assert nothing.returncode == 1
            assert "nothing to export" in nothing.stderr
            confirm_feedback(gateway.url, photos)
            done = retrain(environment, *words, "--export-flags", *GATES)
            assert done.returncode == 0, done.stderr
            assert "Release 2 answers 25 % of the callers" in done.stdout
            wait_until(lambda: '"candidate": 2' in gateway.log.read_text(), 3, "the gateway follows")
            answered = {
                httpx2.post(f"{gateway.url}/v1/predict", content=photo.read_bytes(), timeout=10).json()["release"]
                for photo in photos * 4
            }
            assert answered == {1, 2}
    finally:
        triton.stop()
    with np.load(tmp_path / "work" / "members" / "tiny_resnet" / "test.npz") as test:
        assert len(test["labels"]) > 15  # of 70 photos instead of 60
    report = json.loads((repository / "leaf_ensemble_2" / "report.json").read_text())
    assert "release_loss" in {verdict["gate"] for verdict in report["gates"]}


def test_a_gpu_has_its_plans_before_the_candidate_is_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    steps: list[list[str]] = []

    def step(_title: str, *command: object) -> str:
        steps.append([str(word) for word in command])
        return '[{"role": "stable", "number": 1}]'

    monkeypatch.setattr(retraining, "step", step)
    monkeypatch.setattr(retraining, "newest", lambda _repository: 2)
    words = ["--data", "photos", "--repository", "models", "--members", "a=b", "--work", str(tmp_path)]
    assert retraining.retrain(retraining.parse([*words, "--plans", "make 'the plans'"])) == 2
    assert steps[-3][2:4] == ["export", "release"]
    assert steps[-2] == ["make", "the plans"]
    assert "canary" in steps[-1]
    steps.clear()
    assert retraining.retrain(retraining.parse(words)) == 2
    assert steps[-2][2:4] == ["export", "release"]


def test_a_clearly_worse_release_is_not_written(
    repository: Path, base: Path, preset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    member = tmp_path / "tiny_resnet"
    few = ("--schedule.epochs", "1", "--schedule.learning_rate", "1e-6")
    assert training(["fit", "--config", str(preset), "--data", str(base), "--out", str(member), *few]) == 0
    before = set(repository.glob("leaf_ensemble_*"))
    given = ["--members", str(member), "--repository", str(repository), "--photos", str(base), "--follows", "1"]
    assert export(["release", *given, *GATES]) == 1
    assert "gate release_loss is closed" in capsys.readouterr().err
    assert set(repository.glob("leaf_ensemble_*")) == before


def test_a_release_that_is_not_there_cannot_be_followed(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    member = repository.parent / "members" / "tiny_resnet"
    assert export(["release", "--members", str(member), "--repository", str(repository), "--follows", "77"]) == 1
    assert "Release 77 cannot be read" in capsys.readouterr().err
