"""An export killed at any moment leaves a repository whose releases are all complete, and the next export succeeds."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
import tritonclient.grpc as grpc
from google.protobuf import text_format
from pictures import encoded, textured
from processes import ROOT, TritonProcess, free_ports, wait_until
from triton_client import infer
from tritonclient.grpc import model_config_pb2 as pb

from export.locking import LOCK, writing

FEW, MANY = 1, 30
"""Kills of the ordinary test and of the long proof."""


class Exporter:
    """The process that starts exports, and what a whole one takes."""

    def __init__(self, process: subprocess.Popen[str], arguments: list[str]) -> None:
        self.process, self.arguments = process, arguments

    def start(self, repository: Path) -> int:
        """Start an export; returns its process id."""
        self.process.stdin.write("\t".join([*self.arguments, "--repository", str(repository)]) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def ended(self) -> int:
        """Wait for it; negative: killed by that signal."""
        return int(self.process.stdout.readline().split()[1])

    def kill_after(self, repository: Path, seconds: float) -> int:
        """Start one and kill it; returns how it ended."""
        pid = self.start(repository)
        time.sleep(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return self.ended()


@pytest.fixture(scope="module")
def exporter(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exporter]:
    """Exports of the CNN alone, with its report and gates."""
    photos = tmp_path_factory.mktemp("photos")
    textured(90, 90).save(photos / "one.png")
    arguments = ["release", "--members", str(trained / "small_cnn"), "--photos", str(photos), "--latency-seconds", "0"]
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("export_on_demand.py"))],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    yield Exporter(process, arguments)
    process.stdin.close()
    process.wait(60)
    process.stdout.close()


def releases(repository: Path) -> list[Path]:
    """Ensembles that a client can choose, by number."""
    return sorted(repository.glob("leaf_ensemble_*"), key=lambda folder: int(folder.name.rpartition("_")[2]))


def check_structure(repository: Path, known: set[str]) -> None:
    """Every release names steps whose versions hold whole files, with the tensors that the configurations promise.

    Those in `known` were looked at before; the others are added to it.
    """
    for file in repository.glob("*/config.pbtxt"):
        text_format.Parse(file.read_text(encoding="utf-8"), pb.ModelConfig())
    for ensemble in releases(repository):
        if ensemble.name in known:
            continue
        known.add(ensemble.name)
        number = ensemble.name.rpartition("_")[2]
        config = text_format.Parse((ensemble / "config.pbtxt").read_text(encoding="utf-8"), pb.ModelConfig())
        assert (ensemble / number).is_dir()
        assert json.loads((ensemble / "report.json").read_text())["release"] == int(number)
        for step in config.ensemble_scheduling.step:
            folder = repository / step.model_name
            said = text_format.Parse((folder / "config.pbtxt").read_text(encoding="utf-8"), pb.ModelConfig())
            version = folder / str(step.model_version)
            if said.backend == "dali":
                assert (folder / "warmup" / "leaf.jpg").stat().st_size == said.model_warmup[0].inputs[
                    "encoded_image"
                ].dims[0]
                assert len(json.loads((version / "preprocessing.json").read_text())) == len(said.output)
                compile((version / "dali.py").read_text(), "dali.py", "exec")
                continue
            network = onnx.load(version / "model.onnx")
            onnx.checker.check_model(network)
            dims = {t.name: [d.dim_value for d in t.type.tensor_type.shape.dim][1:] for t in network.graph.output}
            assert dims == {tensor.name: list(tensor.dims) for tensor in said.output}


def kill_often(exporter: Exporter, repository: Path, kills: int) -> Iterator[None]:
    """Exports until `kills` were killed while they ran; yields after each.

    Half of the moments lie anywhere, half in an export's last fifth, where it renames into place. What an export takes
    is learnt on the way: one that has ended before its moment was quicker than thought.
    """
    for _ in range(2):  # the first is slow: it loads what later ones find loaded
        start = time.monotonic()
        exporter.start(repository)
        assert exporter.ended() == 0
        whole = time.monotonic() - start
    rng = random.Random(7)
    killed, ended = 0, 0
    while killed < kills:
        part = rng.random() if killed % 2 else 0.8 + 0.2 * rng.random()
        if exporter.kill_after(repository, whole * part) == -signal.SIGKILL:
            killed += 1
        else:
            ended += 1
            whole = max(0.9 * whole, 0.1)
        assert ended < 2 * kills
        yield


@pytest.mark.parametrize("kills", [FEW, pytest.param(MANY, marks=pytest.mark.long)])
@pytest.mark.timeout(900)
def test_kills_at_any_moment_leave_whole_releases(exporter: Exporter, tmp_path: Path, kills: int) -> None:
    repository = tmp_path / "repository"
    known: set[str] = set()
    before: list[str] = []
    for _ in kill_often(exporter, repository, kills):
        assert [folder.name for folder in releases(repository)][: len(before)] == before
        before = [folder.name for folder in releases(repository)]
        check_structure(repository, known)
    exporter.start(repository)
    assert exporter.ended() == 0
    assert len(releases(repository)) == len(before) + 1
    check_structure(repository, set())
    assert not list(repository.glob(".release-*"))
    assert not list(repository.rglob("*.new"))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_real_triton_loads_what_kills_leave(exporter: Exporter, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    for _ in kill_often(exporter, repository, MANY):
        pass
    names = tuple(folder.name for folder in releases(repository))
    triton = TritonProcess(repository, free_ports(3), load=names)
    triton.start()
    try:
        with grpc.InferenceServerClient(triton.grpc_url) as client:
            for name in names:
                assert infer(client, name, encoded(textured(80, 80)), ["probabilities"])["probabilities"].sum() > 0.99
    finally:
        triton.stop()


def waits_for_a_lock(pid: int) -> bool:
    """Whether the system knows of a lock that this process has asked for and not got."""
    return any(line.split()[1] == "->" and line.split()[5] == str(pid) for line in open_locks())


def open_locks() -> list[str]:
    """Lines of /proc/locks: number, `->` before those who wait, kind, ..., process."""
    return Path("/proc/locks").read_text().splitlines()


def test_exports_at_the_same_time_take_turns(exporter: Exporter, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    with writing(repository, lambda _: None):
        pid = exporter.start(repository)
        wait_until(lambda: waits_for_a_lock(pid), 60, "it waits for its turn")
        assert not releases(repository)
    assert exporter.ended() == 0
    assert [folder.name for folder in releases(repository)] == ["leaf_ensemble_1"]


def test_who_waits_is_told(tmp_path: Path) -> None:
    said: list[str] = []
    entered = threading.Event()

    def second() -> None:
        with writing(tmp_path, said.append):
            entered.set()

    with writing(tmp_path, said.append):
        waiting = threading.Thread(target=second)
        waiting.start()
        time.sleep(0.5)
        assert not entered.is_set()
    waiting.join(10)
    assert entered.is_set()
    assert ["waiting" in line for line in said] == [True]
    assert (tmp_path / LOCK).is_file()
