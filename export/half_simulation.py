"""What a mixed-precision ONNX file answers on hardware that keeps float16 results as such, computed in float32.

ONNX Runtime's CPU provider computes float16 nodes in float32 and drops the casts between them, so run there as it is, a
file in half precision neither rounds nor overflows. Here every float16 tensor is rounded to its 11 significant bits
(Veltkamp's splitting), to multiples of 2**-24 where float16 is coarser, and overflows where it does; sums run in float32,
as in a GPU's matrix units.
"""

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

SPLITTER = float(2**13 + 1)
"""Leaves 24 - 13 = 11 bits of a float32."""
SMALLEST_NORMAL = 2.0**-14
COARSE = 0.75
"""What is added to this and taken off again is left in multiples of 2**-24: a float32 has 24 bits."""
OVERFLOW = 65520.0
"""From here on a number rounds to infinity."""
MOVES = {
    *("Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Concat", "Split", "Slice", "Gather", "Expand", "Pad"),
    *("Relu", "MaxPool", "Identity", "Tile", "Where", "Max", "Min", "Neg", "Abs", "Clip"),
}
"""Results are values that were rounded already."""


def simulate(model: onnx.ModelProto) -> onnx.ModelProto:
    """A float32 model that answers as the mixed-precision `model` does."""
    typed = onnx.shape_inference.infer_shapes(model)
    half = {v.name for v in typed.graph.value_info if v.type.tensor_type.elem_type == TensorProto.FLOAT16}
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        copy = NodeProto()
        copy.CopyFrom(node)
        if node.op_type == "Cast" and _target(node) in (TensorProto.FLOAT16, TensorProto.FLOAT):
            copy = helper.make_node("Identity", list(node.input), list(node.output))
        rounds = node.op_type not in MOVES
        results = [name for name in node.output if name in half and rounds]
        copy.output[:] = [f"{name}_unrounded" if name in results else name for name in node.output]
        nodes.append(copy)
        for name in results:
            nodes += _rounded(f"{name}_unrounded", name)
    simulated = onnx.ModelProto()
    simulated.CopyFrom(model)
    del simulated.graph.node[:], simulated.graph.initializer[:], simulated.graph.value_info[:]
    simulated.graph.node.extend(nodes)
    simulated.graph.initializer.extend(_widened(tensor) for tensor in model.graph.initializer)
    constants = {
        "splitter": SPLITTER,
        "smallest": SMALLEST_NORMAL,
        "coarse": COARSE,
        "overflow": OVERFLOW,
        "infinity": float("inf"),
    }
    simulated.graph.initializer.extend(
        numpy_helper.from_array(np.array(value, np.float32), f"half_{name}") for name, value in constants.items()
    )
    return simulated


def _rounded(name: str, output: str) -> list[NodeProto]:
    return [
        helper.make_node("Mul", [name, "half_splitter"], [f"{output}_split"]),
        helper.make_node("Sub", [f"{output}_split", name], [f"{output}_low"]),
        helper.make_node("Sub", [f"{output}_split", f"{output}_low"], [f"{output}_fine"]),
        helper.make_node("Add", [name, "half_coarse"], [f"{output}_lifted"]),
        helper.make_node("Sub", [f"{output}_lifted", "half_coarse"], [f"{output}_small"]),
        helper.make_node("Abs", [name], [f"{output}_size"]),
        helper.make_node("Less", [f"{output}_size", "half_smallest"], [f"{output}_under"]),
        helper.make_node("Where", [f"{output}_under", f"{output}_small", f"{output}_fine"], [f"{output}_rounded"]),
        helper.make_node("GreaterOrEqual", [f"{output}_size", "half_overflow"], [f"{output}_over"]),
        helper.make_node("Mul", [name, "half_infinity"], [f"{output}_endless"]),
        helper.make_node("Where", [f"{output}_over", f"{output}_endless", f"{output}_rounded"], [output]),
    ]


def _target(node: NodeProto) -> int:
    return int(next(attribute.i for attribute in node.attribute if attribute.name == "to"))


def _widened(tensor: TensorProto) -> TensorProto:
    if tensor.data_type != TensorProto.FLOAT16:
        return tensor
    return numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name)
