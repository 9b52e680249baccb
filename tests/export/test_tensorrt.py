"""TensorRT's real builder, without a GPU: its Python API over the libraries of TensorRT-RTX (`make install-tensorrt`)."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from pictures import DATA, needs
from processes import ROOT

from export.__main__ import main
from export.configuration import from_text
from export.plan_files import MANIFEST, UNNAMED
from export.verify import PINNED_TENSORRT

TENSORRT_PYTHON = Path(sys.prefix).parent / "tensorrt" / "bin" / "python"
FLOAT = "FLOAT"

pytestmark = pytest.mark.skipif(
    not TENSORRT_PYTHON.is_file(), reason="`make install-tensorrt` installs TensorRT's builder"
)


def run(*arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    """TensorRT's Python in the repository's root."""
    command = [str(TENSORRT_PYTHON), *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | env, capture_output=True, text=True, timeout=200, check=False
    )


def plan(repository: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """`python -m export plan` of release 1."""
    return run("-m", "export", "plan", "--repository", repository, "--release", "1", **env)


@pytest.fixture(scope="module")
def repository(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of the two small members with half precision, and its plans."""
    folder = shutil.copytree(released, tmp_path_factory.mktemp("planned") / "repository")
    result = plan(folder)
    assert result.returncode == 0, result.stderr
    assert "small_vit: building model.plan from model_float16.onnx with TensorRT 11" in result.stderr
    return folder


@pytest.mark.parametrize("name", ["small_cnn", "small_vit"])
def test_plans_have_the_tensors_that_the_configuration_promises(repository: Path, name: str) -> None:
    config = from_text((repository / name / "config.pbtxt").read_text())
    promised = {tensor.name: [FLOAT, -1, *tensor.dims] for tensor in (*config.input, *config.output)}
    said = json.loads((repository / name / "1" / MANIFEST).read_text())["plans"][UNNAMED]
    assert said["tensors"] == promised
    assert said["tensorrt"] == PINNED_TENSORRT
    assert said["profile"] == {"min": 1, "opt": 8, "max": config.max_batch_size}
    assert (repository / name / "1" / UNNAMED).stat().st_size > 100_000


def test_a_plan_that_was_built_without_a_gpu_is_not_taken_for_one_that_serves(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "--repository", str(repository)]) == 1
    assert capsys.readouterr().err.count("built without a GPU, which proves that it can be built and no more") == 2


def test_a_version_that_the_pinned_triton_does_not_load_is_refused() -> None:
    code = "from export.engines import load_tensorrt; load_tensorrt('11.3.0.99')"
    said = run("-c", code).stderr
    assert f"TensorRT {PINNED_TENSORRT} is installed; the pinned Triton loads plans of 11.3.0.99 only" in said


def test_a_library_that_is_missing_is_named(repository: Path, tmp_path: Path) -> None:
    code = "import tensorrt_bindings; print(tensorrt_bindings.__path__[0])"
    api = Path(run("-c", code).stdout.strip())
    shutil.copytree(api, tmp_path / api.name, ignore=shutil.ignore_patterns("libnv*"))
    result = plan(repository, PYTHONPATH=str(tmp_path))
    assert result.returncode == 1
    assert "its libraries are not (lib" in result.stderr
    assert "cannot open shared object file" in result.stderr


def spoiled(repository: Path, tmp_path: Path, content: bytes) -> Path:
    """A copy in which one member's network is another."""
    copy = tmp_path / "repository"
    shutil.copytree(repository, copy)
    (copy / "small_cnn" / "1" / "model_float16.onnx").write_bytes(content)
    return copy


@pytest.mark.parametrize("operator", ["Det", "Unheard"])
def test_an_operator_that_is_not_supported_is_named(repository: Path, tmp_path: Path, operator: str) -> None:
    given = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, 3])
    answered = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch"])
    graph = helper.make_graph([helper.make_node(operator, ["pixels"], ["probabilities"])], "odd", [given], [answered])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    copy = spoiled(repository, tmp_path, model.SerializeToString())
    before = (copy / "small_cnn" / "1" / UNNAMED).read_bytes()
    result = plan(copy)
    assert result.returncode == 1
    assert f"does not support {operator} as {copy / 'small_cnn' / '1' / 'model_float16.onnx'} uses it" in result.stderr
    assert "serve this member through the onnxruntime backend" in result.stderr
    assert (copy / "small_cnn" / "1" / UNNAMED).read_bytes() == before


def test_a_file_that_is_no_network_is_named(repository: Path, tmp_path: Path) -> None:
    result = plan(spoiled(repository, tmp_path, b"no network"))
    assert result.returncode == 1
    assert "small_cnn/1/model_float16.onnx: Assertion failed" in result.stderr
    assert "does not support" not in result.stderr


@pytest.mark.long
@needs("cassava")
def test_the_full_size_pair_builds_and_half_precision_halves_its_weights(tmp_path: Path) -> None:
    classes, photos = ROOT / "training" / "tasks" / "cassava.json", str(DATA / "cassava" / "train_images")
    assert main(["seeded", "--out", str(tmp_path), "--classes", str(classes), "--photos", photos]) == 0
    names = ["efficientnet_b4", "vit_base_384"]
    repository = tmp_path / "repository"
    flags = ["--photos", photos, "--half-precision", "--gate", "half_precision=0.03"]
    members = [str(tmp_path / name) for name in names]
    assert main(["release", "--members", *members, "--repository", str(repository), *flags]) == 0
    sizes: dict[str, list[int]] = {name: [] for name in names}
    for precision in ("float16", "float32"):
        result = plan(repository)
        assert result.returncode == 0, result.stderr
        for name in names:
            folder = repository / name / "1"
            said = json.loads((folder / MANIFEST).read_text())["plans"][UNNAMED]
            assert said["onnx"] == ("model_float16.onnx" if precision == "float16" else "model.onnx")
            config = from_text((repository / name / "config.pbtxt").read_text())
            tensors = (*config.input, *config.output)
            assert said["tensors"] == {tensor.name: [FLOAT, -1, *tensor.dims] for tensor in tensors}
            sizes[name].append((folder / UNNAMED).stat().st_size)
            (folder / "model_float16.onnx").unlink(missing_ok=True)
    for name, (half, full) in sizes.items():
        weights = sum(len(t.raw_data) for t in onnx.load(repository / name / "1" / "model.onnx").graph.initializer)
        assert 0.9 * weights < full < 1.2 * weights
        assert half < 0.56 * full
