"""Mixed precision for the GPU: the float32 ONNX file with most arithmetic in float16.

TensorRT 11 computes what the file says, so precision is decided here. Float32 stay layer norms, softmax, every reduction
over positions, what is computed from those element by element, and the head: there half precision overflows or rounds
answers away.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from export import sessions
from export.agreement import SMALLEST_SPREAD, agreement
from export.errors import HalfPrecisionError
from export.half_simulation import simulate
from export.members import Member

ARITHMETIC = {"Conv", "ConvTranspose", "MatMul", "Gemm"}
"""Always float16, but for the head."""
FOLLOWING = {
    *("Add", "Sub", "Mul", "Div", "Max", "Min", "Clip", "Neg", "Abs"),
    *("Relu", "LeakyRelu", "Sigmoid", "HardSigmoid", "HardSwish", "Gelu", "Erf", "Tanh", "Identity"),
    *("Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Concat", "Split", "Slice", "Gather", "Expand", "Pad"),
    *("MaxPool", "AveragePool", "Tile", "Where"),
}
"""Float16 where every computed input is."""
LARGEST = 65504.0
DIFFERENCE = 0.01
"""Most that a trained member's probability may move."""


def to_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in mixed precision; inputs and outputs stay float32."""
    typed = onnx.shape_inference.infer_shapes(model)
    graph = typed.graph
    floats = {
        v.name for v in (*graph.input, *graph.output, *graph.value_info) if _is_float(v.type.tensor_type.elem_type)
    }
    weights = {t.name: t for t in graph.initializer if _is_float(t.data_type)}
    halves = _Halves(floats | set(weights), weights)
    head = _head(graph.node, graph.output[0].name)
    for node in graph.node:
        halves.add(node, node.output[0] in head)
    for output in graph.output:
        halves.finish(output.name)
    kept = [t for t in graph.initializer if t.name in halves.used]
    converted = onnx.ModelProto()
    converted.CopyFrom(model)
    del converted.graph.node[:], converted.graph.initializer[:], converted.graph.value_info[:]
    converted.graph.node.extend(halves.nodes)
    converted.graph.initializer.extend([*kept, *halves.constants.values()])
    onnx.checker.check_model(converted)
    return converted


class _Halves:
    """The new graph as it grows; `precise` says which tensors exist in float16."""

    def __init__(self, floats: set[str], weights: dict[str, TensorProto]) -> None:
        self.floats, self.weights = floats, weights
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, TensorProto] = {}
        self.half: set[str] = set()
        self.casts: dict[str, str] = {}
        self.used: set[str] = set()

    def add(self, node: NodeProto, in_head: bool) -> None:
        """One node in the precision that suits it, casts before it where they are needed."""
        computed = [name for name in node.input if name in self.floats and name not in self.weights]
        follows = node.op_type in FOLLOWING and bool(computed) and all(name in self.half for name in computed)
        # an input of the graph starts as float32 and is cast where arithmetic begins
        half = (node.op_type in ARITHMETIC and not in_head) or (follows and not in_head)
        half = half and all(self._fits(name) for name in node.input)
        copy = NodeProto()
        copy.CopyFrom(node)
        copy.input[:] = [self._as(name, half) for name in node.input]
        self.nodes.append(copy)
        if half:
            self.half.update(name for name in node.output if name in self.floats)

    def finish(self, name: str) -> None:
        """An output of the graph is float32 under its own name."""
        if name not in self.half:
            return
        for node in self.nodes:
            for names in (node.input, node.output):
                names[:] = [f"{name}_half" if n == name else n for n in names]
        self.nodes.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))

    def _fits(self, name: str) -> bool:
        if name not in self.weights:
            return True
        return bool(np.abs(numpy_helper.to_array(self.weights[name])).max(initial=0) <= LARGEST)

    def _as(self, name: str, half: bool) -> str:
        if name not in self.floats or (name in self.half) == half:
            self.used.add(name)
            return name
        if name in self.weights:
            wanted = f"{name}_float16"
            array = numpy_helper.to_array(self.weights[name]).astype(np.float16)
            self.constants.setdefault(wanted, numpy_helper.from_array(array, wanted))
            return wanted
        wanted = self.casts.get(name, "")
        if not wanted:
            wanted = f"{name}_{'float16' if half else 'float32'}"
            target = TensorProto.FLOAT16 if half else TensorProto.FLOAT
            self.nodes.append(helper.make_node("Cast", [name], [wanted], to=target))
            self.casts[name] = wanted
        return wanted


def _is_float(kind: int) -> bool:
    return kind == TensorProto.FLOAT


def _head(nodes: Iterable[NodeProto], probabilities: str) -> set[str]:
    """First outputs of the nodes from the classifier's arithmetic to the probabilities."""
    by_output = {name: node for node in nodes for name in node.output}
    found, waiting = set(), [probabilities]
    while waiting:
        node = by_output.get(waiting.pop())
        if node is None or node.output[0] in found:
            continue
        found.add(node.output[0])
        if node.op_type not in ARITHMETIC:
            waiting.extend(node.input)
    return found


def check_half(
    member: Member, exact: Path, half: Path, pixels: torch.Tensor, bound: float = DIFFERENCE
) -> tuple[float, NDArray[np.float32]]:
    """Compare both files on real photos, float16 simulated.

    Args:
        pixels: float32 [photos, 3, height, width], at least two photos.

    Returns:
        The largest difference of a probability, and the statistics in half precision, [photos, statistics].

    Raises:
        HalfPrecisionError: the reference answers all photos alike, so that nothing is proved; half precision overflows,
            moves a probability by more than `bound`, or changes a class that float32 is clear about.
    """
    expected, _ = answers(member, exact.read_bytes(), pixels)
    rounded, statistics = answers(member, simulate(onnx.load(half)).SerializeToString(), pixels)
    found = agreement(expected, rounded)
    if not found.proves_something:
        raise HalfPrecisionError(
            f"{member.name}: answers to {len(pixels)} photos spread by {found.spread:.2g}, less than {SMALLEST_SPREAD:g}: that "
            "they agree in half precision would prove nothing. Give other --photos, or train the member."
        )
    if found.not_finite:
        raise HalfPrecisionError(
            f"{member.name}: half precision overflows on {found.not_finite} of {len(pixels)} photos. "
            "Serve it in float32, or train it with smaller activations (weight decay, a norm before the sum)."
        )
    if found.changed or found.difference > bound:
        raise HalfPrecisionError(
            f"{member.name}: half precision moves a probability by {found.difference:.2g} (allowed {bound:g}) and changes the "
            f"class of {found.changed} photos that float32 is clear about. Serve it in float32."
        )
    return found.difference, statistics


def answers(member: Member, file: bytes, pixels: torch.Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A file's probabilities [photos, classes] and statistics in ONNX Runtime on the CPU, one photo at a time, float32."""
    session = sessions.on_cpu(file)
    names = [member.probabilities, member.statistics]
    rows = [session.run(names, {member.pixels: row[None].numpy()}) for row in pixels]
    probabilities, statistics = (np.concatenate(column) for column in zip(*rows, strict=True))
    return probabilities, statistics
