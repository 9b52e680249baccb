"""The averaging step: a weighted mean of the members' probabilities as a tiny ONNX network."""

from collections.abc import Sequence

import onnx
from onnx import TensorProto, helper

OPSET = 20
IR_VERSION = 10


def averaging_model(inputs: Sequence[str], output: str, weights: Sequence[float], classes: int) -> onnx.ModelProto:
    """float32 [batch, classes] per member in, their mean weighted by `weights` (normalised to sum 1) out."""
    total = sum(weights)
    nodes, terms = [], []
    constants = []
    for name, weight in zip(inputs, weights, strict=True):
        constants.append(helper.make_tensor(f"weight_{name}", TensorProto.FLOAT, [1], [weight / total]))
        nodes.append(helper.make_node("Mul", [name, f"weight_{name}"], [f"weighted_{name}"]))
        terms.append(f"weighted_{name}")
    nodes.append(helper.make_node("Sum", terms, [output]))
    shape: list[str | int | None] = ["batch", classes]
    graph = helper.make_graph(
        nodes,
        "average",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in inputs],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model
