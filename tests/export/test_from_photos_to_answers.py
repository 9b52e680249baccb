"""By make alone: `train` twice or five times, `export` with nothing said of members, `serve`, and a photo answered."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from processes import ROOT, TRITON_PYTHON, free_ports, wait_until

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

PORTS = ("GATEWAY_PORT", "TRITON_HTTP_PORT", "TRITON_GRPC_PORT", "TRITON_METRICS_PORT")
ANY = ("accuracy_micro=0", "f1_macro=0", "recall_floor=0", "ece=1")
"""Of training's gate: these members have seen a few photos for some epochs."""


def command(target: str, **variables: object) -> list[str]:
    """`make TARGET NAME=VALUE ...`, in the environments that are there."""
    given = {"DEV": sys.executable, "GATEWAY_PYTHON": sys.executable, "TRITON_PYTHON": TRITON_PYTHON, **variables}
    there = [word for name in ("dev", "server", "gateway") for word in ("-o", f"install-{name}")]
    return ["make", "--no-print-directory", *there, target, *(f"{name}={value}" for name, value in given.items())]


def made(folder: Path, target: str, **variables: object) -> str:
    """Run it to its end, with a registry of its own; returns what it prints."""
    environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"}
    done = subprocess.run(
        command(target, **variables),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def trained(folder: Path, photos: Path, config: str, name: str, *flags: str) -> None:
    """One member of that name."""
    gate = [word for bar in ANY for word in (f"--gate.{bar.partition('=')[0]}", bar.partition("=")[2])]
    words = ["--model.name", name, "--dataset.task", "auto", *gate, *flags]
    made(folder, "train", CONFIG=config, DATA=photos, OUT=folder / "members" / name, FIT_FLAGS=" ".join(words))


def drawn(folder: Path, classes: int, photos: int) -> Path:
    """Generated photos of so many classes."""
    out = folder / "photos"
    words = ["--out", out, "--classes", classes, "--photos", photos, "--height", 96]
    subprocess.run([sys.executable, "-m", "training", "synthesize", *map(str, words)], cwd=ROOT, check=True)
    return out


@contextmanager
def served(repository: Path, log: Path) -> Iterator[str]:
    """`make serve`, ready; yields the gateway's address."""
    ports = dict(zip(PORTS, free_ports(4), strict=True))
    address = f"http://127.0.0.1:{ports['GATEWAY_PORT']}"

    def ready() -> bool:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            return httpx2.get(f"{address}/health/ready", timeout=5).status_code == 200
        except httpx2.TransportError:
            return False

    with log.open("wb") as output:
        process = subprocess.Popen(
            command("serve", REPOSITORY=repository, **ports),
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until(ready, 120, "the gateway answers photos")
        yield address
    finally:
        os.killpg(process.pid, signal.SIGINT)  # Ctrl-C
        process.wait(90)


def answers(address: str, files: Sequence[Path]) -> list[dict[str, Any]]:
    """What `curl --data-binary @FILE ADDRESS/v1/predict` prints, file by file."""
    said = []
    for file in files:
        words = ["curl", "--silent", "--fail", "--data-binary", f"@{file}", f"{address}/v1/predict"]
        said.append(json.loads(subprocess.run(words, capture_output=True, check=True).stdout))
    return said


def test_two_members_learn_five_drawn_classes_and_answer(tmp_path: Path) -> None:
    photos = drawn(tmp_path, classes=5, photos=48)
    for seed, name in enumerate(("first", "second")):
        flags = ("--model.input_size", "80", "--schedule.epochs", "8", "--schedule.seed", str(seed))
        trained(tmp_path, photos, "synthetic", name, *flags)
    repository = tmp_path / "model_repository"
    told = made(tmp_path, "export", REPOSITORY=repository)
    assert "### Release 1 of " in told
    assert told.endswith(f"make serve REPOSITORY={repository}\n")
    files = sorted((photos / "train_images").iterdir())
    with served(repository, tmp_path / "serve.log") as address:
        said = answers(address, files[:5])
    assert {len(one["probabilities"]) for one in said} == {5}
    assert all([m["name"] for m in one["members"]] == ["first", "second"] for one in said)
    report = json.loads((repository / "leaf_ensemble_1" / "report.json").read_text())
    assert max(report["served"]["differences"].values()) < 0.02
    assert report["metrics"]["accuracy_micro"] > 0.4  # of five classes


FIVE = ("test_resnet", "test_efficientnet", "test_convnext", "test_vit", "test_byobnet")


def test_five_members_answer_thirty_eight_classes(tmp_path: Path) -> None:
    photos = drawn(tmp_path, classes=38, photos=12)
    for architecture in FIVE:
        size = "160" if architecture == "test_vit" else "64"
        flags = ("--model.architecture", architecture, "--model.input_size", size, "--schedule.epochs", "1")
        trained(tmp_path, photos, "synthetic", architecture, *flags)
    repository = tmp_path / "model_repository"
    made(tmp_path, "export", REPOSITORY=repository)
    with served(repository, tmp_path / "serve.log") as address:
        (said,) = answers(address, [next((photos / "train_images").iterdir())])
        classes = httpx2.get(f"{address}/v1/classes", timeout=10).json()["classes"]
    assert len(said["probabilities"]) == len(classes) == 38
    assert sum(said["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert sorted(member["name"] for member in said["members"]) == sorted(FIVE)
