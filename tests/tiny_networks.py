"""Weights for a model repository without training: networks of a few hundred bytes with a member's inputs and outputs."""

import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export import averaging, configuration
from export.calibration import calibrate
from export.facts import release_facts
from export.members import Member
from export.production import production_members

ROOT = Path(__file__).parents[1]
CLASSES = ROOT / "training" / "tasks" / "cassava.json"


def tiny_network(member: Member, seed: int) -> onnx.ModelProto:
    """Mean colour of the photo to everything that a member's step answers; statistics and maps are the colours repeated."""
    classes, length, size = member.class_count, member.outputs.statistics, member.outputs.map_size
    rng = np.random.default_rng(seed)
    weights = {
        "weights": rng.normal(size=(3, classes)).astype(np.float32),
        "spread": rng.uniform(size=(3, length)).astype(np.float32),
    }
    nodes = [
        helper.make_node("GlobalAveragePool", [member.pixels], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["colour"]),
        helper.make_node("MatMul", ["colour", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], [member.probabilities], axis=1),
        helper.make_node("MatMul", ["colour", "spread"], ["signed"]),
        helper.make_node("Abs", ["signed"], [member.statistics]),
    ]
    outputs: list[tuple[str, list[str | int]]] = [
        (member.probabilities, ["batch", classes]),
        (member.statistics, ["batch", length]),
    ]
    if size is not None:
        weights["axes"], weights["tile"] = np.array([2, 3]), np.array([1, 1, *size])
        nodes.append(helper.make_node("Unsqueeze", ["logits", "axes"], ["points"]))
        nodes.append(helper.make_node("Tile", ["points", "tile"], [member.activation_map]))
        outputs.append((member.activation_map, ["batch", classes, *size]))
    pixels = helper.make_tensor_value_info(
        member.pixels, TensorProto.FLOAT, ["batch", 3, member.view.height, member.view.width]
    )
    answered = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs]
    constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "tiny", [pixels], answered, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def fill(repository: Path, members: list[Member], number: int = 1) -> str:
    """Put release `number` of tiny networks into a repository that holds the steps; returns the ensemble's name."""
    for seed, member in enumerate(members):
        save(tiny_network(member, seed), repository / member.name / str(number))
    calibration = calibrate(members, "equal")
    average = averaging.averaging_model(
        [averaging.Source(m.probabilities, m.answer, m.statistics, m.outputs.statistics) for m in members],
        configuration.PROBABILITIES,
        configuration.OUTLIER_SCORE,
        calibration.weights,
        members[0].class_count,
    )
    save(average, repository / configuration.AVERAGE / str(number))
    source = repository / configuration.PREPROCESS / "1"
    if number != 1:
        shutil.copytree(source, repository / configuration.PREPROCESS / str(number))
    ensemble = configuration.ensemble(members, number, release_facts(number, members, calibration, 0.9))
    (repository / ensemble.name / str(number)).mkdir(parents=True)
    (repository / ensemble.name / "config.pbtxt").write_text(configuration.to_text(ensemble), encoding="utf-8")
    (repository / configuration.ENSEMBLE / "1").mkdir(exist_ok=True)
    return ensemble.name


def save(model: onnx.ModelProto, folder: Path) -> None:
    """Write `model.onnx` into a version folder."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")


def production_repository(folder: Path) -> tuple[Path, str]:
    """The repository as git holds it, filled with tiny networks; returns it and its ensemble's name."""
    repository = folder / "model_repository"
    ignore = shutil.ignore_patterns("*.onnx", "*.plan", "leaf_ensemble_*")
    shutil.copytree(ROOT / "model_repository", repository, ignore=ignore)
    return repository, fill(repository, production_members(CLASSES))
