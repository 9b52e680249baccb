"""Mixed precision: what stays float32, and a check that fails when it should."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto

from export import half_comparison, half_precision, half_simulation, onnx_model
from export.errors import HalfPrecisionError
from export.leaf_drawing import draw_leaf
from export.members import read_member

PRECISE = {"LayerNormalization", "Softmax", "ReduceMean"}


@pytest.fixture(scope="module")
def converted(trained: Path, released: Path) -> dict[str, tuple[Path, Path, torch.Tensor]]:
    """Float32 file, mixed file and pixels of 12 photos, by member."""
    made = {}
    for name in ("small_cnn", "small_vit"):
        classifier = onnx_model.load(read_member(trained / name))
        pixels = onnx_model.view(classifier, [draw_leaf(seed, 160, 120) for seed in range(30, 42)])
        folder = released / name / "1"
        made[name] = (folder / "model.onnx", folder / "model_float16.onnx", pixels)
    return made


def scaled(exact: Path, stem: Path, shape: list[int], count: int, factor: float) -> tuple[Path, Path]:
    """Both files of a network whose last `count` weights of a shape are larger or smaller."""
    model = onnx.load(exact)
    weights = [tensor for tensor in model.graph.initializer if list(tensor.dims) == shape]
    for tensor in weights[-count:]:
        array = (onnx.numpy_helper.to_array(tensor) * np.float32(factor)).clip(-6e4, 6e4)
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    files = stem.with_suffix(".onnx"), stem.with_suffix(".half.onnx")
    onnx.save(model, files[0])
    onnx.save(half_precision.to_half(model), files[1])
    return files


@pytest.mark.parametrize("name", ["small_cnn", "small_vit"])
def test_half_the_weight_bytes_and_the_same_answers(converted: dict, trained: Path, name: str) -> None:
    exact, half, pixels = converted[name]
    weights = [
        sum(len(t.raw_data) for t in onnx.load(file).graph.initializer if t.data_type in (1, 10))
        for file in (exact, half)
    ]
    assert weights[1] < 0.56 * weights[0]
    assert 0 < half_precision.check_half(read_member(trained / name), exact, half, pixels, 0.03)[0] < 0.03


@pytest.mark.parametrize("name", ["small_cnn", "small_vit"])
def test_norms_softmax_reductions_and_the_head_stay_float32(converted: dict, name: str) -> None:
    model = onnx.shape_inference.infer_shapes(onnx.load(converted[name][1]))
    kinds = {v.name: v.type.tensor_type.elem_type for v in (*model.graph.value_info, *model.graph.output)}
    precise = [node for node in model.graph.node if node.op_type in PRECISE]
    assert precise
    assert {kinds[node.output[0]] for node in precise} == {TensorProto.FLOAT}
    arithmetic = [node for node in model.graph.node if node.op_type in ("Conv", "MatMul", "Gemm")]
    last = next(node for node in reversed(arithmetic) if node.op_type != "Conv")
    assert kinds[last.output[0]] == TensorProto.FLOAT
    assert [kinds[n.output[0]] for n in arithmetic].count(TensorProto.FLOAT16) >= 0.8 * len(arithmetic)
    assert {v.type.tensor_type.elem_type for v in (*model.graph.input, *model.graph.output)} == {TensorProto.FLOAT}


def test_half_precision_and_float16_weights_go_together(released: Path) -> None:
    sizes = {file.name: file.stat().st_size for file in (released / "small_cnn" / "2").glob("*.onnx")}
    assert set(sizes) == {"model.onnx", "model_float16.onnx"}
    assert max(sizes.values()) < 1.2 * min(sizes.values())


def test_an_overflow_is_caught(converted: dict, trained: Path, tmp_path: Path) -> None:
    exact, _, pixels = converted["small_vit"]
    files = scaled(exact, tmp_path / "overflowing", [192, 64], 2, 3e6)  # second layers of MLPs
    with pytest.raises(HalfPrecisionError, match="half precision overflows"):
        half_precision.check_half(read_member(trained / "small_vit"), *files, pixels)


def test_answers_that_hardly_differ_prove_nothing(converted: dict, trained: Path, tmp_path: Path) -> None:
    exact, _, pixels = converted["small_cnn"]
    files = scaled(exact, tmp_path / "flat", [5, 256], 1, 1e-3)  # the head
    with pytest.raises(HalfPrecisionError, match="would prove nothing"):
        half_precision.check_half(read_member(trained / "small_cnn"), *files, pixels)


def test_another_network_s_answers_are_told_apart(converted: dict, trained: Path, tmp_path: Path) -> None:
    exact, half, pixels = converted["small_cnn"]
    model = onnx.load(half)
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT16:
            array = onnx.numpy_helper.to_array(tensor)
            tensor.CopyFrom(onnx.numpy_helper.from_array((array * np.float16(1.3)).astype(np.float16), tensor.name))
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(HalfPrecisionError, match="moves a probability"):
        half_precision.check_half(read_member(trained / "small_cnn"), exact, tmp_path / "other.onnx", pixels)


def test_files_are_compared_by_the_same_simulation(
    converted: dict, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exact, half, _ = converted["small_cnn"]
    for seed in range(4):
        draw_leaf(seed, 160, 120).save(tmp_path / f"{seed}.png")
    given = ["--member", trained / "small_cnn", "--exact", exact, "--half", exact, half, "--photos", tmp_path]
    half_comparison.main([str(word) for word in given])
    said = [[cell.strip() for cell in line.split("|")[1:-1]] for line in capsys.readouterr().out.splitlines()]
    unchanged, halved = (dict(zip(said[0], row, strict=True)) for row in said[2:])
    nodes = unchanged["nodes in half"].removeprefix("0 of ")
    assert (unchanged["weights in half"], unchanged["largest difference"]) == ("0.0%", "0.0000")
    in_half = int(halved["nodes in half"].removesuffix(f" of {nodes}"))
    assert int(nodes) > in_half > 0.5 * int(nodes)
    assert float(halved["weights in half"].removesuffix("%")) > 80
    assert 0 < float(halved["largest difference"]) < 0.03
    assert float(halved["mean"]) < float(halved["largest difference"])


def test_the_simulation_rounds_and_overflows_as_float16_does() -> None:
    shape = ["n"]
    nodes = [
        onnx.helper.make_node("Cast", ["x"], ["h"], to=TensorProto.FLOAT16),
        onnx.helper.make_node("Abs", ["h"], ["size"]),
        onnx.helper.make_node("Mul", ["h", "size"], ["squared"]),
        onnx.helper.make_node("Cast", ["squared"], ["y"], to=TensorProto.FLOAT),
    ]
    tensors = [onnx.helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy"]
    graph = onnx.helper.make_graph(nodes, "square", tensors[:1], tensors[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    rng = np.random.default_rng(0)
    small = 10.0 ** rng.uniform(-8, -1, 500) * rng.choice(
        [-1, 1], 500
    )  # float16 is coarser below 6e-5, and ends at 6e-8
    given = np.concatenate([rng.normal(size=500) * 60, small, [0, 255.9, 256.0, 300.0, -70_000]]).astype(np.float32)
    session = onnxruntime.InferenceSession(
        half_simulation.simulate(model).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    with np.errstate(over="ignore"):
        halves = given.astype(np.float16)
        expected = (halves * np.abs(halves)).astype(np.float32)
    assert np.array_equal(session.run(None, {"x": given})[0], expected)
    assert {np.inf, -np.inf} <= set(expected)
    assert (expected[given != 0] == 0).any()
