"""The averaging step: a weighted mean of the members' probabilities as a tiny ONNX network.

It also hands every member's probabilities out under a second name. Triton needs that: a tensor that is an output of the
ensemble and an input of one of its steps makes the request fail ("unexpected deadlock") when a client does not ask for it.
"""

from collections.abc import Mapping, Sequence

import onnx
from onnx import TensorProto, helper

OPSET = 20
IR_VERSION = 10


def averaging_model(answers: Mapping[str, str], output: str, weights: Sequence[float], classes: int) -> onnx.ModelProto:
    """float32 [batch, classes] per member in; their mean weighted by `weights` (normalised to sum 1) and each itself out.

    Args:
        answers: input tensor to output tensor, per member.
        output: tensor of the mean.
        weights: one per member, in the same order.
        classes: number of classes.
    """
    total = sum(weights)
    nodes, terms = [], []
    constants = []
    for name, weight in zip(answers, weights, strict=True):
        constants.append(helper.make_tensor(f"weight_{name}", TensorProto.FLOAT, [1], [weight / total]))
        nodes.append(helper.make_node("Mul", [name, f"weight_{name}"], [f"weighted_{name}"]))
        terms.append(f"weighted_{name}")
    nodes.append(helper.make_node("Sum", terms, [output]))
    nodes += [helper.make_node("Identity", [name], [answer]) for name, answer in answers.items()]
    shape: list[str | int | None] = ["batch", classes]
    graph = helper.make_graph(
        nodes,
        "average",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in answers],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in (output, *answers.values())],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model
