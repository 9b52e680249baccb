"""int8 in large linear layers: close to float32, and really served when a release asks for it."""

import json
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
import tritonclient.grpc as grpc
from onnx import TensorProto, helper, numpy_helper
from pictures import encoded, textured
from processes import ROOT, TRITON_PYTHON, TritonProcess, free_ports, launch
from tiny_networks import production_repository
from triton_client import infer

from export import activation_ranges

SIDE = 320
STEP = "vit_base_384"


def wide_network(file: Path) -> onnx.ModelProto:
    """The step's tiny network with two large linear layers in its middle, which int8 changes."""
    model = onnx.load(file)
    rng = np.random.default_rng(0)
    weights = {
        "widen": rng.normal(size=(3, SIDE)),
        "first": rng.normal(size=(SIDE, SIDE)) / SIDE**0.5,
        "second": rng.normal(size=(SIDE, SIDE)) / SIDE**0.5,
        "weights": 4 * rng.normal(size=(SIDE, 5)) / SIDE**0.5,
    }
    kept = [tensor for tensor in model.graph.initializer if tensor.name not in weights]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    model.graph.initializer.extend(numpy_helper.from_array(w.astype(np.float32), n) for n, w in weights.items())
    nodes = list(model.graph.node)
    del model.graph.node[:]
    nodes[2] = helper.make_node("MatMul", ["d", "weights"], ["logits"])
    nodes[2:2] = [
        helper.make_node("MatMul", ["colour", "widen"], ["a"]),
        helper.make_node("MatMul", ["a", "first"], ["b"]),
        helper.make_node("Relu", ["b"], ["c"]),
        helper.make_node("MatMul", ["c", "second"], ["d"]),
    ]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    assert model.graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT
    return model


@pytest.fixture
def repository(tmp_path: Path) -> tuple[Path, str]:
    """The production configurations, the ViT's step with large linear layers."""
    folder, ensemble = production_repository(tmp_path)
    file = folder / STEP / "1" / "model.onnx"
    onnx.save(wide_network(file), file)
    return folder, ensemble


def answers(repository: Path, ensemble: str) -> np.ndarray:
    """What the step answers to three pictures, [3, classes]."""
    triton = TritonProcess(repository, free_ports(3), load=(ensemble,))
    triton.start()
    try:
        with grpc.InferenceServerClient(triton.grpc_url) as client:
            pictures = [encoded(textured(100, 100, seed=seed)) for seed in range(3)]
            return np.array([infer(client, ensemble, p, [f"answer_{STEP}"])[f"answer_{STEP}"] for p in pictures])
    finally:
        triton.stop()


def test_a_release_may_ask_for_int8(repository: tuple[Path, str]) -> None:
    full = answers(*repository)
    version = repository[0] / STEP / "1"
    model = onnx.load(version / "model.onnx")
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim][1:]
    photos = [np.full(shape, value, np.float32) for value in (-1, -0.5, 0.5, 1)]
    ranges = activation_ranges.measure(model, np.stack(photos))
    assert ranges.keys() == {"b", "d"}
    settings = {"precision": "int8", "activation_ranges": ranges}
    (version / "cpu_engine.json").write_text(json.dumps(settings))
    eighth = answers(*repository)
    assert full.std(axis=0).max() > 0.02
    assert 0 < np.abs(full - eighth).max() < 0.03


def settings(repository: Path, said: dict[str, object]) -> tuple[str, str]:
    """The precision that a member computes in by its `cpu_engine.json`, and what standard error says."""
    (repository / STEP / "1" / "cpu_engine.json").write_text(json.dumps(said))
    code = "import sys, pathlib, server.members as m; print(m.engine_settings(pathlib.Path(sys.argv[1])).precision)"
    result = subprocess.run(
        [TRITON_PYTHON, "-c", code, repository / STEP / "1"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return result.stdout.strip(), result.stderr


def test_int8_that_was_not_calibrated_is_bfloat16_and_says_so(repository: tuple[Path, str]) -> None:
    precision, said = settings(repository[0], {"precision": "int8"})
    assert precision == "bfloat16"
    assert f"{STEP} computes in bfloat16 instead of int8: it was not calibrated; export it with --photos" in said


def test_ranges_of_another_network_are_no_release(repository: tuple[Path, str]) -> None:
    said = {"precision": "int8", "activation_ranges": {"elsewhere": [0, 1]}}
    (repository[0] / STEP / "1" / "cpu_engine.json").write_text(json.dumps(said))
    result = launch(repository[0])
    assert result.returncode == 1
    assert "this one has no layer elsewhere. Export it again" in result.stderr


def test_the_limits_of_the_engines_are_measured(repository: tuple[Path, str]) -> None:
    command = [TRITON_PYTHON, "-m", "server.limits", "--repository", repository[0], "--seconds", "0.2"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    rates = json.loads(result.stdout)
    assert rates.keys() == {"serial", "side by side", "batched", "streams"}
    assert min(rates.values()) > 0
