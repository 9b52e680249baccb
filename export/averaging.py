"""The averaging step as a small ONNX network: the mean of the members' probabilities, and the outlier score.

It also hands every member's probabilities out under a second name. Triton needs that: a tensor that is an output of the
ensemble and an input of one of its steps makes the request fail ("unexpected deadlock") when a client does not ask for it.

The score is computed here and not in the members, because this step runs in float32 on every machine: a distance in
hundreds of dimensions would not survive half precision.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from export.outliers import DEVIATION_OFFSET, MEAN_SCALE, OutlierModel

OPSET = 20
IR_VERSION = 10
TINY = 1e-12


@dataclass(frozen=True)
class Source:
    """What one member hands to the averaging step."""

    probabilities: str
    """Tensor [batch, classes] in"""
    answer: str
    """Tensor under which the same leaves"""
    statistics: str
    """Tensor [batch, width] in"""
    width: int


@dataclass
class _Graph:
    nodes: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def number(self, name: str, value: float) -> str:
        return self.constant(name, np.array([value], np.float32))

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output


def averaging_model(
    sources: Sequence[Source],
    output: str,
    score: str,
    weights: Sequence[float],
    classes: int,
    temperature: float = 1.0,
    outliers: OutlierModel | None = None,
) -> onnx.ModelProto:
    """float32 [batch, ...] per member in; their mean [batch, classes], each itself, and the score [batch, 1] out.

    Args:
        sources: what each member hands in.
        output: tensor of the mean weighted by `weights`, which are normalised to sum 1.
        score: tensor of the outlier score; without `outliers` the negative logarithm of the largest probability.
        weights: one per member, in the same order.
        classes: number of classes.
        temperature: of the mean, applied to its logarithm.
        outliers: fitted on the members' statistics, one after the other.
    """
    graph = _Graph()
    _add_mean(graph, sources, output, weights, temperature)
    for source in sources:
        graph.node("Identity", [source.probabilities], source.answer)
    _add_score(graph, sources, output, score, outliers)

    def tensor(name: str, width: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])

    inputs = [tensor(s.probabilities, classes) for s in sources] + [tensor(s.statistics, s.width) for s in sources]
    outputs = [tensor(name, classes) for name in (output, *(s.answer for s in sources))]
    built = helper.make_graph(graph.nodes, "average", inputs, [*outputs, tensor(score, 1)], graph.constants)
    model = helper.make_model(built, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model


def _add_mean(
    graph: _Graph, sources: Sequence[Source], output: str, weights: Sequence[float], temperature: float
) -> None:
    terms = []
    for source, weight in zip(sources, weights, strict=True):
        name = graph.number(f"weight_{source.probabilities}", weight / sum(weights))
        terms.append(graph.node("Mul", [source.probabilities, name], f"weighted_{source.probabilities}"))
    if temperature == 1:
        graph.node("Sum", terms, output)
        return
    graph.node("Sum", terms, "mean")
    graph.node("Max", ["mean", graph.number("tiny", TINY)], "positive_mean")
    graph.node("Log", ["positive_mean"], "log_mean")
    graph.node("Div", ["log_mean", graph.number("temperature", temperature)], "scaled_mean")
    graph.node("Softmax", ["scaled_mean"], output, axis=1)


def _add_score(
    graph: _Graph, sources: Sequence[Source], output: str, score: str, outliers: OutlierModel | None
) -> None:
    last = graph.constant("last_axis", np.array([1], np.int64))
    if outliers is None:
        _add_doubt(graph, sources, output, score, last)
        return
    joined = graph.node("Concat", [_add_features(graph, s) for s in sources], "features", axis=1)
    centre = graph.constant("centre", outliers.centre.astype(np.float32)[None])
    deviation = graph.constant("deviation", outliers.deviation.astype(np.float32)[None])
    standard = graph.node("Div", [graph.node("Sub", [joined, centre], "centred"), deviation], "standard")
    axes = graph.constant("axes", outliers.axes.astype(np.float32))
    along = graph.node("MatMul", [standard, axes], "along")
    back = graph.node("Transpose", [axes], "axes_back", perm=[1, 0])
    beside = graph.node("Sub", [standard, graph.node("MatMul", [along, back], "projected")], "beside")
    variances = graph.constant("variances", np.sqrt(outliers.variances).astype(np.float32)[None])
    inner = graph.node("ReduceSumSquare", [graph.node("Div", [along, variances], "scaled"), last], "inner")
    outer = graph.node("ReduceSumSquare", [beside, last], "outer")
    outer = graph.node("Div", [outer, graph.number("rest", outliers.rest)], "scaled_outer")
    distance = graph.node("Log", [graph.node("Add", [inner, outer], "squared_distance")], "distance")
    if outliers.direction is None:
        _add_scaled(graph, distance, outliers.distance, score)
        return
    direction = graph.constant("direction", outliers.direction.astype(np.float32)[:, None])
    side = graph.node("MatMul", [standard, direction], "side")
    parts = [_add_scaled(graph, distance, outliers.distance, "distance_score")]
    graph.node("Add", [*parts, _add_scaled(graph, side, outliers.side, "side_score")], score)


def _add_doubt(graph: _Graph, sources: Sequence[Source], output: str, score: str, last: str) -> None:
    """Without a fit: how doubtful the mean is. Statistics are read all the same, as the configuration promises them."""
    graph.node("ReduceMax", [output, last], "confidence")
    graph.node("Max", ["confidence", graph.number("least", TINY)], "positive_confidence")
    doubt = graph.node("Neg", [graph.node("Log", ["positive_confidence"], "log_confidence")], "doubt")
    zero = graph.number("zero", 0.0)
    unused = []
    for source in sources:
        total = graph.node("ReduceSum", [source.statistics, last], f"total_{source.statistics}")
        unused.append(graph.node("Mul", [total, zero], f"unused_{source.statistics}"))
    graph.node("Sum", [doubt, *unused], score)


def _add_features(graph: _Graph, source: Source) -> str:
    """`outliers.features` of one member's statistics."""
    name, channels = source.statistics, source.width // 2
    graph.nodes.append(
        helper.make_node("Split", [name], [f"means_{name}", f"deviations_{name}"], axis=1, num_outputs=2)
    )
    scale = graph.number(f"mean_scale_{name}", MEAN_SCALE)
    means = graph.node("Asinh", [graph.node("Mul", [f"means_{name}", scale], f"scaled_{name}")], f"asinh_{name}")
    offset = graph.number(f"offset_{name}", DEVIATION_OFFSET)
    shifted = graph.node("Add", [f"deviations_{name}", offset], f"shifted_{name}")
    assert channels * 2 == source.width
    return graph.node("Concat", [means, graph.node("Log", [shifted], f"log_{name}")], f"features_{name}", axis=1)


def _add_scaled(graph: _Graph, value: str, scale: tuple[float, float], output: str) -> str:
    middle = graph.number(f"middle_{value}", scale[0])
    spread = graph.number(f"spread_{value}", scale[1])
    return graph.node("Div", [graph.node("Sub", [value, middle], f"shifted_{value}"), spread], output)
