"""Linear layers in int8: weights quantised once in groups, activations by the engine as they come.

Dynamic quantisation needs no calibration photos: each group of 64 activations of each token gets its own scale.
"""

import numpy as np
import openvino
from openvino import opset13 as ops

WEIGHT_GROUP = 64
ACTIVATION_GROUP = 64
SMALLEST_SIDE = 256


def quantize_linear_layers(network: openvino.Model) -> int:
    """Replace the weights of large linear layers by int8 groups with float scales, in place.

    Returns:
        How many layers were changed.
    """
    changed = 0
    for operation in network.get_ordered_ops():
        if operation.get_type_name() != "MatMul":
            continue
        weights = operation.input_value(1).get_node()
        if weights.get_type_name() != "Constant" or not is_large(list(weights.get_output_shape(0))):
            continue
        values = weights.data if operation.get_attributes()["transpose_b"] else weights.data.T
        outputs, inputs = values.shape
        grouped = values.reshape(outputs, inputs // WEIGHT_GROUP, WEIGHT_GROUP).astype(np.float32)
        scale = np.maximum(np.abs(grouped).max(axis=2, keepdims=True) / 127, np.finfo(np.float32).tiny)
        quantized = np.round(grouped / scale).astype(np.int8)
        # the engine recognises this pattern as compressed weights
        restored = ops.multiply(ops.convert(ops.constant(quantized), np.float32), ops.constant(scale))
        flat = ops.reshape(restored, ops.constant(np.array([outputs, inputs])), False)
        replacement = ops.matmul(operation.input_value(0), flat, False, True)
        for target in operation.output(0).get_target_inputs():
            target.replace_source_output(replacement.output(0))
        changed += 1
    network.validate_nodes_and_infer_types()
    return changed


def is_large(shape: list[int]) -> bool:
    """Whether a weight matrix is worth it; a head of a few classes is not."""
    return len(shape) == 2 and min(shape) >= SMALLEST_SIDE and not any(side % WEIGHT_GROUP for side in shape)
