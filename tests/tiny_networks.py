"""Weights for a model repository without training: networks of a few hundred bytes with a member's inputs and outputs."""

import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export import averaging, configuration
from export.facts import release_facts
from export.members import Member
from export.production import production_members

ROOT = Path(__file__).parents[1]
CLASSES = ROOT / "training" / "tasks" / "cassava.json"


def tiny_network(pixels: str, probabilities: str, height: int, width: int, classes: int, seed: int) -> onnx.ModelProto:
    """Mean colour of the photo to class probabilities: float32 [batch, 3, height, width] to [batch, classes]."""
    weights = np.random.default_rng(seed).normal(size=(3, classes)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", [pixels], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["colour"]),
            helper.make_node("MatMul", ["colour", "weights"], ["logits"]),
            helper.make_node("Softmax", ["logits"], [probabilities], axis=1),
        ],
        "tiny",
        [helper.make_tensor_value_info(pixels, TensorProto.FLOAT, ["batch", 3, height, width])],
        [helper.make_tensor_value_info(probabilities, TensorProto.FLOAT, ["batch", classes])],
        [numpy_helper.from_array(weights, "weights")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def fill(repository: Path, members: list[Member], number: int = 1) -> str:
    """Put release `number` of tiny networks into a repository that holds the steps; returns the ensemble's name."""
    for seed, member in enumerate(members):
        network = tiny_network(
            member.pixels, member.probabilities, member.view.height, member.view.width, member.class_count, seed
        )
        save(network, repository / member.name / str(number))
    names = {member.probabilities: member.answer for member in members}
    weights = [1.0] * len(members)
    average = averaging.averaging_model(names, configuration.PROBABILITIES, weights, members[0].class_count)
    save(average, repository / configuration.AVERAGE / str(number))
    source = repository / configuration.PREPROCESS / "1"
    if number != 1:
        shutil.copytree(source, repository / configuration.PREPROCESS / str(number))
    ensemble = configuration.ensemble(members, number, release_facts(number, members, weights, 0.9))
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
