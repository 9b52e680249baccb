"""`python -m export compare` and the CUDA provider's check, on stand-ins: the same code, with this machine's CPU as the GPU."""

import json
import os
import shutil
import stat
from hashlib import sha256
from pathlib import Path

import onnx
import pytest
from onnx import numpy_helper
from stand_in_gpu import Driver, Tensorrt, as_plan

from export import cuda_driver, gpus, plan_comparison, sessions
from export.__main__ import main
from export.cuda_driver import Gpu
from export.errors import EngineError, ProviderError
from export.plan_files import MANIFEST, plan_name, to_text

MEMBERS = ("small_cnn", "small_vit")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One GPU, seen by a stand-in `nvidia-smi`."""
    tool = tmp_path / "bin" / gpus.TOOL
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho 'NVIDIA L4, 8.9, 615.61'\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(plan_comparison, "load_tensorrt", lambda _pinned: Tensorrt)
    monkeypatch.setattr(plan_comparison, "Gpu", lambda: Gpu(Driver()))


@pytest.fixture
def planned(released: Path, tmp_path: Path) -> Path:
    """A repository whose plans answer what their ONNX files do."""
    copy = shutil.copytree(released, tmp_path / "repository")
    for name in MEMBERS:
        file = plan_file(copy, name)
        put(file, as_plan(file.with_name("model.onnx")))
    return copy


def put(file: Path, content: bytes) -> None:
    """A plan, and what its manifest says."""
    file.write_bytes(content)
    known = {"tensorrt": "11.2.1.2", "compute_capability": "8.9", "gpu": "NVIDIA L4"}
    file.with_name(MANIFEST).write_text(to_text({file.name: known | {"plan_sha256": sha256(content).hexdigest()}}))


def plan_file(repository: Path, member: str) -> Path:
    """Its plan for the host's GPU."""
    return repository / member / "1" / plan_name(repository / member, "8.9")


def compare(repository: Path, *flags: str) -> int:
    """Run the command on release 1, with twenty drawn leaves: more than a plan takes at once."""
    asked = ["--repository", str(repository), "--release", "1", "--check-photos", "20", "--latency-seconds", "0.01"]
    return main(["compare", *asked, *flags])


def entry(repository: Path, member: str) -> dict[str, object]:
    """What the manifest says of its plan."""
    file = plan_file(repository, member)
    said = json.loads(file.with_name(MANIFEST).read_text())["plans"][file.name]
    assert isinstance(said, dict)
    return said


@pytest.mark.usefixtures("host")
def test_plans_are_compared_and_the_summary_says_how_far_they_are_off(
    planned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(planned) == 0
    for name in MEMBERS:
        said = entry(planned, name)["compared"]
        assert isinstance(said, dict)
        assert (said["photos"], said["clear_classes_changed"], said["gpu"]) == (20, 0, "NVIDIA L4")
        assert said["largest_difference"] < 1e-5
        assert set(said["milliseconds_by_batch"]) == {"1", "2", "4", "8"}
        assert entry(planned, name)["tensorrt"] == "11.2.1.2"
    assert said["faults"] == []
    assert "small_vit: model_cc89.plan agrees with model.onnx within" in capsys.readouterr().err
    assert main(["summary", "--repository", str(planned), "--release", "1"]) == 0
    assert "| ONNX to TensorRT plan, 20 photos | " in capsys.readouterr().out


@pytest.mark.usefixtures("host")
def test_a_plan_that_is_not_its_manifests_is_not_judged(planned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = plan_file(planned, "small_cnn")
    put(file, b"another")
    file.write_bytes(as_plan(file.with_name("model.onnx")))
    assert compare(planned) == 1
    assert "was built anew meanwhile, or is not what its manifest says" in capsys.readouterr().err


@pytest.mark.usefixtures("host")
def test_a_plan_that_answers_otherwise_is_named_and_its_neighbour_compared_all_the_same(
    planned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = plan_file(planned, "small_cnn")
    model = onnx.load(file.with_name("model.onnx"))
    for tensor in model.graph.initializer:
        if len(tensor.dims) == 2:  # the head
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * 0.5, tensor.name))
    put(file, model.SerializeToString())
    assert compare(planned) == 1
    said = capsys.readouterr().err
    assert "small_cnn/1/model_cc89.plan moves a probability by" in said
    assert "small_vit" in said
    assert "compared" in entry(planned, "small_vit")


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda file: file.write_bytes(b"for another TensorRT"), "cannot load the plan: version tag mismatch"),
        (lambda file: file.unlink(), "run `python -m export plan --release 1` on this host"),
        (lambda file: file.with_name(MANIFEST).write_text("{"), "is damaged: build its plans again"),
    ],
    ids=["not loadable", "not there", "damaged manifest"],
)
def test_a_plan_that_cannot_be_compared_is_named(
    planned: Path, capsys: pytest.CaptureFixture[str], spoil: object, message: str
) -> None:
    spoil(plan_file(planned, "small_cnn"))  # type: ignore[operator]
    assert compare(planned) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"spread": 0.01}, "answers 20 photos alike, which proves nothing"),
        ({"not_finite": 3, "largest_difference": None}, "answers 3 of 20 photos with what is no number"),
        ({"clear_classes_changed": 1}, "changes the class of 1 photos"),
        ({"largest_difference": 0.02}, r"moves a probability by 0\.02 \(allowed 0\.01\)"),
    ],
    ids=["alike", "no numbers", "another class", "too far"],
)
def test_what_makes_a_plan_unfit(said: dict[str, object], message: str) -> None:
    fine = {
        "photos": 20,
        "spread": 0.2,
        "not_finite": 0,
        "clear_classes_changed": 0,
        "largest_difference": 0.004,
    }
    assert plan_comparison.faults(fine, 0.01) == []
    assert plan_comparison.faults(fine | {"largest_difference": 0.02}, float("inf")) == []
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(*plan_comparison.faults(fine | said, 0.01))


@pytest.mark.usefixtures("host")
def test_a_host_without_a_gpu_says_so(
    planned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert compare(planned) == 1
    assert "this host shows none: compare on the host that serves" in capsys.readouterr().err


def test_a_driver_in_trouble_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match="refuses cuDeviceGet with error 100"):
        Gpu(Driver(refuses="cuDeviceGet"))
    monkeypatch.setattr(cuda_driver, "LIBRARY", "libcuda_that_is_nowhere.so.1")
    with pytest.raises(EngineError, match="this host has no NVIDIA driver"):
        Gpu()


def release(trained: Path, repository: Path) -> int:
    """Of one member."""
    flags = ["--check-photos", "2", "--latency-seconds", "0", "--gate", "coverage=off"]
    return main(["release", "--members", str(trained / "small_cnn"), "--repository", str(repository), *flags])


def test_where_onnx_runtime_has_a_gpu_the_export_compares_there_too(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "CUDA", sessions.CPU)
    assert release(trained, tmp_path) == 0
    report = json.loads((tmp_path / "leaf_ensemble_1" / "report.json").read_text())
    assert 0 < report["members"]["small_cnn"]["largest_difference_on_cuda"] < 1e-4
    assert "parity_cuda" in [verdict["gate"] for verdict in report["gates"]]


def test_a_provider_that_does_not_start_is_said_and_measures_nothing(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sessions, "has_cuda", lambda: True)  # as onnxruntime-gpu says, GPU or none
    assert release(trained, tmp_path) == 0
    assert "small_cnn: not compared on a GPU. ONNX Runtime" in capsys.readouterr().err
    report = json.loads((tmp_path / "leaf_ensemble_1" / "report.json").read_text())
    assert report["members"]["small_cnn"]["largest_difference_on_cuda"] is None
    with pytest.raises(ProviderError):
        sessions.on_cuda(next(tmp_path.glob("small_cnn/1/model.onnx")))
