"""What Triton's container on a GPU does before Triton: the plans are checked, the flags are ones that Triton takes.

The GPU is a stand-in `nvidia-smi`; what it says and the plans' manifests are judged by export's own check. The flags go to the
real Triton of these tests, but for one that it is too old for, with the CPU's stand-in backends.
"""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from container_stack import lay_out_triton
from processes import ROOT, TRITON_PYTHON, free_ports, wait_until

from deploy import plans, triton
from export.plan_files import plan_name, to_text
from export.verify import MANIFEST, PINNED_TENSORRT, sha256

SECRET = "0123456789abcdef" * 3
DEMO = ROOT / "demo" / "model_repository"


def program(file: Path, script: str) -> Path:
    """An executable shell script."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return file


def with_plans(repository: Path, capability: str) -> Path:
    """The demo's release with plans of a few bytes, their manifests true."""
    shutil.copytree(DEMO, repository, dirs_exist_ok=True)
    for member in repository.glob("*/1/cpu_engine.json"):
        file = member.with_name("model.onnx")
        name = plan_name(file.parents[1], capability)
        (file.parent / name).write_bytes(b"plan")
        said = {"tensorrt": PINNED_TENSORRT, "compute_capability": capability, "onnx": "model.onnx"}
        said |= {"onnx_sha256": sha256(file), "plan_sha256": sha256(file.parent / name)}
        (file.parent / MANIFEST).write_text(to_text({name: said}))
    return repository


@pytest.fixture
def gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two GPUs of compute capability 8.9, as nvidia-smi tells; the folder is first on PATH."""
    program(tmp_path / "bin" / "nvidia-smi", "echo 8.9; echo 8.9")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("TRITON_CONTROL_SECRET", SECRET)
    return tmp_path / "bin"


def run(module: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A module as its container runs it, to its end."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_plans_of_another_gpu_keep_triton_from_starting(gpu: Path, tmp_path: Path) -> None:
    repository = with_plans(tmp_path / "models", "7.5")
    started = run("deploy.triton", "--repository", repository)
    assert started.returncode == 1
    assert "no plan for compute capability 8.9, only for 7.5" in started.stderr
    assert "`make plans` builds them" in started.stderr


def two_releases(repository: Path) -> Path:
    """Release 1 with its plans, release 2 as an export leaves it: the same, no plan built yet."""
    with_plans(repository, "8.9")
    for folder in repository.glob("*/1"):
        if folder.parent.name != "leaf_ensemble_1":
            shutil.copytree(folder, folder.with_name("2"), ignore=shutil.ignore_patterns("*.plan", MANIFEST))
    second = shutil.copytree(repository / "leaf_ensemble_1", repository / "leaf_ensemble_2")
    config = (second / "config.pbtxt").read_text()
    config = config.replace('"leaf_ensemble_1"', '"leaf_ensemble_2"').replace("model_version: 1", "model_version: 2")
    (second / "config.pbtxt").write_text(config)
    return repository


def test_a_release_without_plans_is_left_out_and_the_older_one_served(gpu: Path, tmp_path: Path) -> None:
    repository = two_releases(tmp_path / "models")
    program(tmp_path / "opt" / "bin" / "tritonserver", 'for word; do echo "$word"; done; exit 7')
    arguments = ("--repository", repository, "--installation", tmp_path / "opt")
    started = run("deploy.triton", *arguments)
    assert started.returncode == 7, started.stderr
    assert "--load-model=leaf_ensemble_1" in started.stdout.splitlines()
    assert "leaf_ensemble_2: resnet18_wide/2 has no plan" in started.stderr
    assert "release 2 is left out" in started.stderr
    (served,) = (
        word.partition("=")[2] for word in started.stdout.splitlines() if word.startswith("--model-repository=")
    )
    found = {path.relative_to(served).as_posix() for path in Path(served).glob("*/[0-9]*")}
    released = {path.relative_to(repository).as_posix() for path in repository.glob("*/1")}
    assert found == released - {"leaf_ensemble_2/1"}
    shutil.rmtree(served)
    for manifest in repository.glob(f"*/1/{MANIFEST}"):
        manifest.unlink()
    nothing = run("deploy.triton", *arguments)
    assert nothing.returncode == 1
    assert "`make plans` builds them" in nothing.stderr


def test_with_right_plans_it_becomes_triton(gpu: Path, tmp_path: Path) -> None:
    repository = with_plans(tmp_path / "models", "8.9")
    program(tmp_path / "opt" / "bin" / "tritonserver", 'for word; do echo "$word"; done; exit 7')
    started = run("deploy.triton", "--repository", repository, "--installation", tmp_path / "opt")
    assert started.returncode == 7, started.stderr
    flags = started.stdout.splitlines()
    assert "resnet18_wide/1/model_cc89.plan is for TensorRT" in started.stdout
    for expected in (
        f"--model-repository={repository}",
        "--model-control-mode=explicit",
        "--load-model=leaf_ensemble_1",
        "--cuda-memory-pool-byte-size=1:536870912",
        "--grpc-infer-thread-count=8",
        f"--grpc-restricted-protocol=model-repository,shared-memory,trace,logging:admin-key={SECRET}",
    ):
        assert expected in flags


def test_without_a_gpu_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("TRITON_CONTROL_SECRET", SECRET)
    started = run("deploy.triton", "--repository", DEMO)
    assert started.returncode == 1
    assert "No GPU is seen here" in started.stderr
    assert "profile `cpu`" in started.stderr


@pytest.mark.parametrize(
    ("secret", "repository"), [("short", "demo/model_repository"), (SECRET, "docs"), (SECRET, "none")]
)
def test_what_is_set_up_wrongly_is_said(secret: str, repository: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_CONTROL_SECRET", secret)
    with pytest.raises(triton.StartError, match=r"TRITON_CONTROL_SECRET needs|holds no release|cannot be read"):
        triton.cpu_command(triton.parse(["--cpu", "--repository", str(ROOT / repository)]), os.environ)


def test_the_real_triton_takes_the_flags(tmp_path: Path) -> None:
    """All but --grpc-infer-thread-count, which came later than 2.51; backends and ports are this machine's."""
    with real_triton(tmp_path, DEMO, TRITON_TRACES_URL="http://127.0.0.1:9/v1/traces") as (server, port):
        wait_until(lambda: is_ready(server, port, tmp_path / "log"), 60, "Triton is ready")
        refused = httpx2.post(f"http://127.0.0.1:{port}/v2/repository/models/average/unload", timeout=5)
        assert refused.status_code == 403
    assert server.returncode == 0


WANTS_A_PLAN = """
import glob as _glob
_loads = TritonPythonModel.initialize
def _initialize(self, args):
    folder = args["model_repository"] + "/" + args["model_version"]
    if not _glob.glob(folder + "/*.plan"):
        raise RuntimeError("unable to find plan in " + folder)
    _loads(self, args)
TritonPythonModel.initialize = _initialize
"""
"""As NVIDIA's TensorRT backend, which opens a plan or fails."""


def test_the_real_triton_serves_the_older_release_while_the_newer_has_no_plans(gpu: Path, tmp_path: Path) -> None:
    repository = two_releases(tmp_path / "models")
    (tmp_path / "whole").mkdir()
    with real_triton(tmp_path / "whole", without_ensemble(repository, tmp_path), wants_plans=True) as (server, _):
        assert server.wait(60) != 0, "a version without a plan keeps Triton from starting"
    assert "unable to find plan in" in (tmp_path / "whole" / "log").read_text()
    (tmp_path / "left_out").mkdir()
    served = triton.without(repository, triton.unplanned(repository, ["8.9"]), tmp_path / "left_out")
    (tmp_path / "rest").mkdir()
    headers = {triton.CONTROL_HEADER: SECRET}
    with real_triton(tmp_path / "rest", served, wants_plans=True) as (server, port):
        wait_until(lambda: is_ready(server, port, tmp_path / "rest" / "log"), 60, "Triton is ready")
        models = f"http://127.0.0.1:{port}/v2/repository"
        states = httpx2.post(f"{models}/index", json={"ready": True}, headers=headers, timeout=10).json()
        assert {(of["name"], of["version"]) for of in states} >= {("leaf_ensemble_1", "1"), ("resnet18_wide", "1")}
        again = httpx2.post(f"{models}/models/leaf_ensemble_1/load", json={}, headers=headers, timeout=60)
        assert again.status_code == 200, again.text


def without_ensemble(repository: Path, tmp_path: Path) -> Path:
    """A link to a repository of which the newest ensemble is hidden, so that the older one is what is loaded."""
    folder = tmp_path / "older"
    folder.mkdir()
    for path in repository.iterdir():
        if path.name != "leaf_ensemble_2":
            (folder / path.name).symlink_to(path)
    return folder


@contextmanager
def real_triton(
    folder: Path, repository: Path, *, wants_plans: bool = False, **environment: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """As the container starts it, with the stand-ins' backends and this machine's ports; yields it and its HTTP port."""
    installation = lay_out_triton(folder / "tritonserver")
    for backend in (ROOT / "server" / "backends").iterdir():
        shutil.copytree(backend, installation / "backends" / backend.name)
    if wants_plans:
        with (installation / "backends" / "tensorrt" / "model.py").open("a") as backend_file:
            backend_file.write(WANTS_A_PLAN)
    given = triton.parse(["--repository", str(repository), "--installation", str(installation), "--host", "127.0.0.1"])
    command = triton.gpu_command(given, {"TRITON_CONTROL_SECRET": SECRET} | environment, gpus=1)
    command = [flag for flag in command if not flag.startswith("--grpc-infer-thread-count")]
    ports = free_ports(3)
    command.append(
        f"--backend-directory={installation / 'backends'}"
    )  # in the image it is where Triton looks by itself
    command += [f"--{name}-port={port}" for name, port in zip(("http", "grpc", "metrics"), ports, strict=True)]
    packages = TRITON_PYTHON.parent
    settings = {
        "PATH": f"{packages}{os.pathsep}{os.environ['PATH']}",
        "LD_LIBRARY_PATH": f"{installation / 'lib'}{os.pathsep}{Path(sys.base_prefix) / 'lib'}",
        "LEAF_ROOT": str(ROOT),
        "LEAF_CPU_PRECISION": "configured",
        "LEAF_CPU_THREADS": "0",
        "LEAF_SHARES": str(folder),
    }
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, env=settings, stdout=log, stderr=subprocess.STDOUT) as server,
    ):
        try:
            yield server, ports[0]
        finally:
            server.terminate()
            server.wait(60)


def is_ready(server: subprocess.Popen[bytes], port: int, log: Path) -> bool:
    """Whether it answers; fails the test when it has ended."""
    assert server.poll() is None, log.read_text(errors="replace")[-3000:]
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/v2/health/ready", timeout=2).status_code == 200
    except httpx2.TransportError:
        return False


def test_plans_are_built_for_what_lacks_them_and_then_checked(
    gpu: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    repository = with_plans(tmp_path / "models", "7.5")
    assert plans.wanting(repository, ["8.9", "8.9"])[0] == [1]
    assert plans.main(["--repository", str(repository)]) == 1
    said = capfd.readouterr().err
    assert "TensorRT is not installed" in said, "export's own builder was asked"
    assert "The plans of release 1 could not be built" in said
    with_plans(repository, "8.9")
    assert plans.main(["--repository", str(repository)]) == 0
