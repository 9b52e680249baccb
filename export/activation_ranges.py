"""Between which values the inputs of large linear layers lie on real photos: what int8 on a CPU is scaled by.

Post-training static quantisation (Jacob et al. 2018, arXiv:1712.05877); a percentile instead of the extremes keeps a
few outliers from costing all others their resolution (Wu et al. 2020, arXiv:2004.09602).
"""

import numpy as np
import onnx
from numpy.typing import NDArray

from export import sessions

SMALLEST_SIDE = 256
"""Of a weight matrix that is worth it; a head of a few classes is not."""
OUTLIERS = 5e-5
"""Share of one photo's values on either side that its range leaves out; the widest of the photos' ranges count."""
STRIDE = 7
"""One token in so many is looked at; prime, so that rows of patches do not line up with it."""


def measure(model: onnx.ModelProto, pixels: NDArray[np.float32]) -> dict[str, list[float]]:
    """Lowest and highest input of each large linear layer, by the name of the layer's output tensor.

    Args:
        model: in float32, with one input.
        pixels: [photos, 3, height, width] of real photos.
    """
    large = {
        weight.name for weight in model.graph.initializer if len(weight.dims) == 2 and min(weight.dims) >= SMALLEST_SIDE
    }
    layers = {
        node.output[0]: node.input[0]
        for node in model.graph.node
        if node.op_type == "MatMul" and node.input[1] in large
    }
    if not layers:
        return {}
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    del watched.graph.output[:]
    watched.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(set(layers.values())))
    session = sessions.on_cpu(watched.SerializeToString())
    del watched
    ends: dict[str, NDArray[np.float64]] = {}
    for photo in pixels:
        for output, values in zip(
            session.get_outputs(), session.run(None, {session.get_inputs()[0].name: photo[None]}), strict=True
        ):
            tokens = values.reshape(-1, values.shape[-1])[::STRIDE]
            low, high = np.quantile(tokens, [OUTLIERS, 1 - OUTLIERS])
            known = ends.get(output.name, np.array([low, high]))
            ends[output.name] = np.array([min(known[0], low), max(known[1], high)])
    return {
        layer: [float(f"{end:.6g}") for end in ends[source]]
        for layer, source in layers.items()
        if ends[source][0] < ends[source][1]
    }
