"""Linear layers in int8: weights by output channel, activations by the ranges that the export measured on photos.

Static ranges let the engine multiply int8 with int8 (VNNI, AMX); without VNNI products would saturate unnoticed. What is
not a layer of `ranges` stays as it was.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset13 as ops

LEVELS = 256
Ranges = Mapping[str, Sequence[float]]
"""Lowest and highest value of a layer's input, by the name of its output tensor."""


def quantize_linear_layers(network: openvino.Model, ranges: Ranges) -> None:
    """Replace the linear layers that `ranges` names by int8 ones, in place.

    Raises:
        ValueError: the network has no such layers: the ranges are of another one.
    """
    changed = set()
    for layer in network.get_ordered_ops():
        name = next(iter(layer.output(0).get_names() & ranges.keys()), None) if layer.get_output_size() else None
        if name is None or layer.get_type_name() != "MatMul":
            continue
        bounds = [ops.constant(np.float32(value)) for value in ranges[name]]
        rounded = ops.fake_quantize(layer.input_value(0), *bounds, *bounds, LEVELS)
        replacement = ops.matmul(rounded, _int8(_weights(layer)), False, True)
        for target in layer.output(0).get_target_inputs():
            target.replace_source_output(replacement.output(0))
        changed.add(name)
    if missing := ranges.keys() - changed:
        raise ValueError(
            f"int8 was calibrated on another network: this one has no layer {min(missing)}. Export it again."
        )
    network.validate_nodes_and_infer_types()


def _weights(layer: openvino.Node) -> NDArray[np.float32]:
    """[outputs, inputs]; files with float16 weights convert them first."""
    source = layer.input_value(1).get_node()
    constant = source.input_value(0).get_node() if source.get_type_name() == "Convert" else source
    values = constant.data.astype(np.float32)
    return np.ascontiguousarray(values if layer.get_attributes()["transpose_b"] else values.T)


def _int8(weights: NDArray[np.float32]) -> openvino.Node:
    """The pattern that the engine knows as int8 weights with a scale for each output channel."""
    scale = np.maximum(np.abs(weights).max(axis=1, keepdims=True) / 127, np.finfo(np.float32).tiny)
    quantized = np.round(weights / scale).astype(np.int8)
    return ops.multiply(ops.convert(ops.constant(quantized), np.float32), ops.constant(scale))
