"""`python -m export.half_comparison`: mixed-precision files of one member beside each other, by the same simulation.

For our own conversion against others', such as ModelOpt's AutoCast (docs/gpu-hosts.md). Every file must have the member's
inputs and outputs. One Markdown row a file on standard output.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from export import half_precision, onnx_model
from export.agreement import CLEAR_MARGIN
from export.half_simulation import simulate
from export.members import read_member
from export.photos import sample_photos

HEAD = ("file", "nodes in half", "weights in half", "largest difference", "99 % below", "mean", "clear class changed")


def row(file: Path, expected: NDArray[np.float32], rounded: NDArray[np.float32]) -> list[str]:
    """A file's figures: how much of it is in half precision, and how far its probabilities are from float32's."""
    model = onnx.shape_inference.infer_shapes(onnx.load(file))
    half = {v.name for v in model.graph.value_info if v.type.tensor_type.elem_type == TensorProto.FLOAT16}
    nodes = [node for node in model.graph.node if node.op_type not in ("Cast", "Constant")]
    weights = {kind: _values(model, kind) for kind in (TensorProto.FLOAT16, TensorProto.FLOAT)}
    difference = np.abs(rounded - expected)
    ordered = np.sort(expected, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > CLEAR_MARGIN
    changed = (rounded.argmax(axis=1) != expected.argmax(axis=1))[clear]
    return [
        file.name,
        f"{sum(node.output[0] in half for node in nodes)} of {len(nodes)}",
        f"{weights[TensorProto.FLOAT16] / sum(weights.values()):.1%}",
        f"{difference.max():.4f}",
        f"{np.quantile(difference, 0.99):.4f}",
        f"{difference.mean():.5f}",
        f"{int(changed.sum())} of {int(clear.sum())}",
    ]


def _values(model: onnx.ModelProto, kind: int) -> int:
    return sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer if tensor.data_type == kind)


def main(arguments: list[str] | None = None) -> None:
    """One row a file."""
    parser = argparse.ArgumentParser(prog="python -m export.half_comparison", description=__doc__)
    parser.add_argument("--member", type=Path, required=True, help="trained-model folder")
    parser.add_argument("--exact", type=Path, required=True, help="its float32 ONNX file")
    parser.add_argument("--half", type=Path, nargs="+", required=True, help="mixed-precision files of it")
    parser.add_argument("--photos", type=Path, required=True, help="folder of photos")
    parser.add_argument("--check-photos", type=int, default=50, help="how many of them (default %(default)s)")
    given = parser.parse_args(arguments)
    member = read_member(given.member)
    pixels = onnx_model.view(onnx_model.load(member), sample_photos(given.photos, given.check_photos))
    expected, _ = half_precision.answers(member, given.exact.read_bytes(), pixels)
    _write(HEAD)
    _write(["---"] * len(HEAD))
    for file in given.half:
        rounded, _ = half_precision.answers(member, simulate(onnx.load(file)).SerializeToString(), pixels)
        _write(row(file, expected, rounded))


def _write(cells: list[str] | tuple[str, ...]) -> None:
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
