"""Plans of several kinds of GPU and their manifest: `plan` with a builder that writes a few bytes, `verify` with the
standard library alone, and plain messages.
"""

import fcntl
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import ROOT
from tiny_networks import production_repository

from export import durable, engines, gpus, planning
from export.__main__ import main
from export.configuration import from_text, to_text
from export.engines import BuiltPlan
from export.errors import EngineError
from export.locking import LOCK
from export.plan_files import MANIFEST, UNNAMED
from export.verify import PINNED_TENSORRT, sha256

MEMBERS = ("efficientnet_b4", "vit_base_384")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that says which GPUs the host has, one `name, capability, driver` a line; none at first."""
    said, tool = tmp_path / "gpus", tmp_path / "bin" / gpus.TOOL
    said.write_text("")
    tool.parent.mkdir()
    choose = f'[ "$1" = --query-gpu=name,compute_cap,driver_version ] || exit 1; shift 2\nsaid={said}\n'
    tool.write_text(f'#!/bin/sh\n{choose}if [ "$1" = --id ]; then sed -n "$(($2 + 1))p" $said; else cat $said; fi\n')
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return said


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a release of tiny networks and no plan."""
    repository, _ = production_repository(tmp_path_factory.mktemp("made"))
    for name in MEMBERS:
        (repository / name / "1" / "cpu_engine.json").write_text('{"precision": "float32"}')
    return repository


@pytest.fixture
def repository(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(made, tmp_path / "model_repository")


@pytest.fixture
def planned(repository: Path) -> Path:
    """The same with plans of a few bytes for one kind of GPU, their manifests true."""
    for name in MEMBERS:
        folder = repository / name / "1"
        (folder / "model_cc89.plan").write_bytes(name.encode())
        entry = {
            "tensorrt": PINNED_TENSORRT,
            "compute_capability": "8.9",
            "onnx": "model.onnx",
            "onnx_sha256": sha256(folder / "model.onnx"),
            "plan_sha256": sha256(folder / "model_cc89.plan"),
        }
        (folder / MANIFEST).write_text(json.dumps({"plans": {"model_cc89.plan": entry}}))
    return repository


class FakeTensorrt:
    """As much of the module as planning looks at."""

    __version__ = PINNED_TENSORRT


@pytest.fixture
def build(host: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run `plan` on a host with one GPU of a capability; the plan's bytes say which."""
    monkeypatch.setattr(planning, "load_tensorrt", lambda _pinned: FakeTensorrt)

    def run(repository: Path, capability: str | None, *flags: str) -> int:
        host.write_text("" if capability is None else f"NVIDIA X, Y, {capability}, 615.61\n")
        content = f"a plan for {capability}".encode()
        monkeypatch.setattr(planning, "build_plan", lambda *_: BuiltPlan(content, {"x": ["FLOAT", -1, 3]}))
        return main(["plan", "--repository", str(repository), "--release", "1", *flags])

    return run


def plans(repository: Path) -> dict[str, bytes]:
    """Plans of one member."""
    return {file.name: file.read_bytes() for file in (repository / "vit_base_384" / "1").glob("*.plan")}


def manifest(repository: Path) -> dict[str, dict[str, object]]:
    """Their entries."""
    said = json.loads((repository / "vit_base_384" / "1" / MANIFEST).read_text())["plans"]
    assert isinstance(said, dict)
    return said


def test_each_kind_of_gpu_adds_its_own_plan(repository: Path, build: Callable[..., int]) -> None:
    assert build(repository, "7.5") == 0
    first = manifest(repository)["model_cc75.plan"]
    assert build(repository, "8.9") == 0
    assert plans(repository) == {"model_cc75.plan": b"a plan for 7.5", "model_cc89.plan": b"a plan for 8.9"}
    assert manifest(repository)["model_cc75.plan"] == first
    assert manifest(repository)["model_cc89.plan"]["gpu"] == "NVIDIA X, Y"
    for capability in ("7.5", "8.9"):
        assert main(["verify", "--repository", str(repository), "--compute-capability", capability]) == 0
    assert build(repository, "8.9") == 0
    assert len(manifest(repository)) == 2


def test_the_configuration_names_the_plans(repository: Path, build: Callable[..., int]) -> None:
    before = (repository / "vit_base_384" / "config.pbtxt").read_bytes()
    named = from_text(before.decode()).cc_model_filenames
    for capability in ("7.5", "10.3"):
        assert build(repository, capability) == 0
        assert named[capability] in plans(repository)
    assert (repository / "vit_base_384" / "config.pbtxt").read_bytes() == before


def test_a_host_is_told_which_plan_it_lacks(
    repository: Path, build: Callable[..., int], host: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(repository, "7.5") == 0
    host.write_text("NVIDIA T4, 7.5, 615.61\nNVIDIA L4, 8.9, 615.61\n")
    assert main(["verify", "--repository", str(repository)]) == 1
    said = capsys.readouterr().err.splitlines()
    lacking = [line for line in said if "no plan for compute capability 8.9, only for 7.5" in line]
    assert len(lacking) == len(MEMBERS)
    assert not any("capability 7.5" in line for line in said)


def test_of_several_gpus_the_chosen_one_is_built_for(
    repository: Path, build: Callable[..., int], host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert build(repository, "7.5") == 0
    host.write_text("NVIDIA T4, 7.5, 615.61\nNVIDIA L4, 8.9, 615.61\n")
    assert [gpu.compute_capability for gpu in gpus.visible()] == ["7.5", "8.9"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert [gpu.gpu for gpu in gpus.visible()] == ["NVIDIA L4"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpus.visible() == []


def test_a_gpu_that_is_chosen_away_is_none(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host.write_text("NVIDIA T4, 7.5, 615.61\nNVIDIA L4, 8.9, 615.61\n")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert gpus.visible() == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,-1,0")
    assert [gpu.gpu for gpu in gpus.visible()] == ["NVIDIA L4"]


TROUBLES = {
    "fails": (
        "echo 'NVIDIA-SMI has failed because it could not talk to the driver.'; exit 9",
        "nvidia-smi fails with exit code 9 (NVIDIA-SMI has failed because it could not talk to the driver.)",
    ),
    "hangs": ("exec sleep 20", "nvidia-smi has not answered within 0.2 s"),
}


@pytest.mark.parametrize(("script", "message"), TROUBLES.values(), ids=TROUBLES.keys())
def test_a_tool_in_trouble_is_not_a_host_without_a_gpu(
    planned: Path,
    host: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    script: str,
    message: str,
) -> None:
    (host.parent / "bin" / gpus.TOOL).write_text(f"#!/bin/sh\n{script}\n")
    monkeypatch.setattr(gpus, "PATIENCE_S", 0.2)
    assert main(["verify", "--repository", str(planned)]) == 1
    assert message in capsys.readouterr().err
    assert main(["verify", "--repository", str(planned), "--compute-capability", "8.9"]) == 0


def test_a_driver_that_shows_no_gpu_is_a_host_without_one(planned: Path, host: Path) -> None:
    (host.parent / "bin" / gpus.TOOL).write_text("#!/bin/sh\necho 'No devices were found'; exit 6\n")
    assert gpus.visible() == []
    assert main(["verify", "--repository", str(planned)]) == 0


def test_what_a_build_measured_serves_the_next_and_a_half_of_it_is_swept_away(
    repository: Path, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.write_text("NVIDIA L4, 8.9, 615.61\n")
    given: list[bytes] = []

    def build(_trt: object, _source: Path, cache: bytes) -> BuiltPlan:
        given.append(cache)
        return BuiltPlan(b"plan", {}, cache + b"+")

    def write(file: Path, content: bytes) -> None:
        with (repository / LOCK).open("w") as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        durable.write(file, content)

    monkeypatch.setattr(planning, "load_tensorrt", lambda _pinned: FakeTensorrt)
    monkeypatch.setattr(planning, "build_plan", build)
    monkeypatch.setattr(planning, "write", write)
    left = repository / "..timing_cache_8.9.new"
    left.write_bytes(b"half")
    route = repository / ".route.7.new"
    route.write_bytes(b"another room's")
    assert main(["plan", "--repository", str(repository), "--release", "1"]) == 0
    assert given == [b"", b"+"]
    assert (repository / ".timing_cache_8.9").read_bytes() == b"++"
    assert not left.exists()
    assert route.exists()


def without_names(repository: Path) -> Path:
    """The steps as releases had them that knew one plan only."""
    for name in MEMBERS:
        file = repository / name / "config.pbtxt"
        config = from_text(file.read_text())
        config.cc_model_filenames.clear()
        file.write_text(to_text(config))
    return repository


@pytest.mark.parametrize("old", [True, False], ids=["an older step", "a GPU that has no name yet"])
def test_where_there_is_one_name_no_plan_goes_unasked(
    repository: Path, build: Callable[..., int], capsys: pytest.CaptureFixture[str], old: bool
) -> None:
    first, second = ("7.5", "8.9") if old else ("13.0", "14.0")
    if old:
        without_names(repository)
    assert build(repository, first) == 0
    assert build(repository, first) == 0
    assert build(repository, second) == 1
    assert f"built for compute capability {first}, and the step's configuration has no other name" in (
        capsys.readouterr().err
    )
    assert build(repository, None) == 1
    assert plans(repository) == {UNNAMED: f"a plan for {first}".encode()}
    assert build(repository, second, "--replace") == 0
    assert plans(repository) == {UNNAMED: f"a plan for {second}".encode()}
    assert main(["verify", "--repository", str(repository), "--compute-capability", second]) == 0


def test_a_manifest_of_one_plan_is_still_read(repository: Path, build: Callable[..., int]) -> None:
    without_names(repository)
    assert build(repository, "7.5") == 0
    for name in MEMBERS:
        file = repository / name / "1" / MANIFEST
        file.write_text(json.dumps(json.loads(file.read_text())["plans"][UNNAMED]))
    assert main(["verify", "--repository", str(repository), "--compute-capability", "7.5"]) == 0
    assert main(["verify", "--repository", str(repository), "--compute-capability", "8.9"]) == 1


def test_verify_needs_the_standard_library_only(planned: Path) -> None:
    command = [sys.executable, "-I", "-S", "-c", "import sys; sys.path.insert(0, sys.argv.pop(1)); import runpy; "]
    command[-1] += "sys.argv[0] = 'export'; runpy.run_module('export', run_name='__main__')"
    result = subprocess.run(
        [*command, str(ROOT), "verify", "--repository", str(planned), "--compute-capability", "8.9"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    said = [line.split()[1] for line in result.stdout.splitlines()]
    assert said == [f"{name}/1/model_cc89.plan" for name in MEMBERS]


def change(folder: Path, **values: object) -> None:
    """Another manifest."""
    said = json.loads((folder / MANIFEST).read_text())
    said["plans"]["model_cc89.plan"] |= values
    (folder / MANIFEST).write_text(json.dumps(said))


SPOILED = {
    "other TensorRT": (lambda f: change(f, tensorrt="10.9.0.34"), "was built by TensorRT 10.9.0.34, 11.2.1.2 serves"),
    "other GPU": (
        lambda f: change(f, compute_capability="7.5"),
        "was built for 7.5, this GPU has compute capability 8.9",
    ),
    "built without a GPU": (lambda f: change(f, compute_capability=None), "was built without a GPU"),
    "other plan": (
        lambda f: (f / "model_cc89.plan").write_bytes(b"x"),
        "model_cc89.plan is not the file that was built",
    ),
    "other network": (lambda f: (f / "model.onnx").write_bytes(b"x"), "model.onnx is not what the plan was built from"),
    "no plan": (lambda f: (f / "model_cc89.plan").unlink(), "model_cc89.plan is missing"),
    "no manifest": (lambda f: (f / MANIFEST).unlink(), "has no plan"),
    "damaged manifest": (lambda f: (f / MANIFEST).write_text("{"), "is damaged"),
    "another manifest": (lambda f: (f / MANIFEST).write_text('{"plans": []}'), "is damaged"),
    "an entry without hashes": (
        lambda f: (f / MANIFEST).write_text('{"plans": {"model_cc89.plan": {}}}'),
        "is damaged",
    ),
    "no version": (lambda f: f.rename(f.with_name("7")), "is missing"),
}


@pytest.mark.parametrize(("spoil", "message"), SPOILED.values(), ids=SPOILED.keys())
def test_plans_that_do_not_belong_here_are_named(
    planned: Path, capsys: pytest.CaptureFixture[str], spoil: object, message: str
) -> None:
    spoil(planned / "vit_base_384" / "1")
    assert main(["verify", "--repository", str(planned), "--compute-capability", "8.9"]) == 1
    said = capsys.readouterr().err
    assert message in said
    assert "efficientnet_b4/1" not in said


def test_a_repository_without_releases_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--repository", str(tmp_path)]) == 1
    assert "holds no release" in capsys.readouterr().err


def module(folder: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    """A `tensorrt` module found first."""
    (folder / "tensorrt.py").write_text(content)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)


def test_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module(tmp_path, monkeypatch, "__version__ = '10.9.0.34'")
    with pytest.raises(EngineError, match=r"TensorRT 10\.9\.0\.34 is installed; the pinned Triton loads plans of 11"):
        engines.load_tensorrt()
    monkeypatch.delitem(sys.modules, "tensorrt")


def test_missing_libraries_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module(tmp_path, monkeypatch, "raise ImportError('libnvinfer.so.11: cannot open shared object file')")
    with pytest.raises(EngineError, match=r"libraries are not \(libnvinfer"):
        engines.load_tensorrt()


def test_without_tensorrt_the_command_says_where_to_build(
    planned: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engines, "MODULES", ("tensorrt_that_is_nowhere",))
    assert main(["plan", "--repository", str(planned), "--release", "1"]) == 1
    said = capsys.readouterr().err
    assert f"docker run --gpus all -v $PWD:/w -w /w {engines.CONTAINER}" in said
    assert f"`pip install tensorrt-cu13=={PINNED_TENSORRT}`" in said


def test_the_container_to_build_in_is_the_one_that_builds_for_compose() -> None:
    """Triton's own image has TensorRT's libraries and no Python API of it."""
    image = (ROOT / "deploy" / "images" / "exporter.Dockerfile").read_text()
    name, _, tag = engines.CONTAINER.partition(":")
    assert f"FROM {name}:${{TRITON_TAG}}-py3" in image
    assert f"ARG TRITON_TAG={tag.removesuffix('-py3')}\n" in image
