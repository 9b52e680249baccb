"""Plans and their manifest: `verify` with the standard library alone, plain messages, and TensorRT's real builder.

The builder runs where TENSORRT_PYTHON names a Python with TensorRT's module and LD_LIBRARY_PATH has its libraries (those
of TensorRT-RTX build without a GPU); elsewhere that test is skipped.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from processes import ROOT
from tiny_networks import production_repository

from export import engines
from export.__main__ import main
from export.errors import EngineError
from export.verify import MANIFEST, PINNED_TENSORRT, sha256

TENSORRT_PYTHON = os.environ.get("TENSORRT_PYTHON")
MEMBERS = ("efficientnet_b4", "vit_base_384")


@pytest.fixture
def planned(tmp_path: Path) -> Path:
    """A repository with a release whose plans are a few bytes, their manifests true."""
    repository, _ = production_repository(tmp_path)
    for name in MEMBERS:
        folder = repository / name / "1"
        (folder / "cpu_engine.json").write_text('{"precision": "float32"}')
        (folder / "model.plan").write_bytes(name.encode())
        manifest = {
            "tensorrt": PINNED_TENSORRT,
            "compute_capability": "8.9",
            "onnx": "model.onnx",
            "onnx_sha256": sha256(folder / "model.onnx"),
            "plan_sha256": sha256(folder / "model.plan"),
        }
        (folder / MANIFEST).write_text(json.dumps(manifest))
    return repository


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
    assert [line.split()[1] for line in result.stdout.splitlines()] == ["efficientnet_b4/1", "vit_base_384/1"]


def change(folder: Path, **values: object) -> None:
    """Another manifest."""
    (folder / MANIFEST).write_text(json.dumps(json.loads((folder / MANIFEST).read_text()) | values))


SPOILED = {
    "other TensorRT": (lambda f: change(f, tensorrt="10.9.0.34"), "was built by TensorRT 10.9.0.34, 11.2.1.2 serves"),
    "other GPU": (
        lambda f: change(f, compute_capability="7.5"),
        "was built for 7.5, this GPU has compute capability 8.9",
    ),
    "built without a GPU": (lambda f: change(f, compute_capability=None), "was built without a GPU"),
    "other plan": (lambda f: (f / "model.plan").write_bytes(b"x"), "model.plan is not the file that was built"),
    "other network": (lambda f: (f / "model.onnx").write_bytes(b"x"), "model.onnx is not what the plan was built from"),
    "no plan": (lambda f: (f / "model.plan").unlink(), "has no plan"),
    "damaged manifest": (lambda f: (f / MANIFEST).write_text("{"), "is damaged"),
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
    assert f"docker run --gpus all -v $PWD:/w -w /w {engines.CONTAINER}" in capsys.readouterr().err


@pytest.mark.skipif(TENSORRT_PYTHON is None, reason="TENSORRT_PYTHON names no Python with TensorRT")
def test_the_real_builder_builds_what_verify_judges(planned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in MEMBERS:
        (planned / name / "1" / "model.plan").unlink()
        (planned / name / "1" / MANIFEST).unlink()
    command = [str(TENSORRT_PYTHON), "-m", "export", "plan", "--repository", str(planned), "--release", "1"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert result.returncode == 0, result.stderr
    for name in MEMBERS:
        manifest = json.loads((planned / name / "1" / MANIFEST).read_text())
        assert manifest["tensorrt"] == PINNED_TENSORRT
        assert manifest["profile"] == {"min": 1, "opt": 8, "max": 16}
        without_gpu = manifest["compute_capability"] is None
    assert main(["verify", "--repository", str(planned)]) == (1 if without_gpu else 0)
    assert ("was built without a GPU" in capsys.readouterr().err) == without_gpu
    (planned / "vit_base_384" / "1" / "model.onnx").write_bytes(b"no network")
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert result.returncode == 1
    assert "cannot read" in result.stderr
