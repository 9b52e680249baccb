"""A trained member as an ONNX file: normalised pixels in, probabilities out."""

import io
import logging
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import timm
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from PIL import Image
from timm.data.config import resolve_model_data_config
from timm.data.transforms_factory import create_transform

from export.errors import MemberError, ParityError
from export.members import Member

OPSET = 20
PARITY = 1e-4
"""Largest allowed difference of a probability between torch and ONNX, both float32."""
PARITY_FLOAT16 = 5e-3
"""The same where weights are stored as float16."""


class Classifier(torch.nn.Module):
    """A timm network followed by softmax in float32."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """[batch, 3, height, width] normalised pixels to [batch, classes] probabilities."""
        return torch.softmax(self.network(pixels).float(), dim=1)


def load(member: Member) -> Classifier:
    """The trained network, by timm alone.

    Raises:
        MemberError: timm does not know the architecture, or the weights do not fit it.
    """
    try:
        network = timm.create_model(f"local-dir:{member.folder}", pretrained=True)
    except (RuntimeError, ValueError, KeyError) as error:
        raise MemberError(f"{member.folder}: timm cannot load {member.architecture}: {error}") from error
    return Classifier(network.float()).eval()


def view(classifier: Classifier, photos: Sequence[Image.Image]) -> torch.Tensor:
    """Photos through timm's evaluation transform: float32 [photos, 3, height, width]."""
    transform = create_transform(**resolve_model_data_config(classifier.network))
    return torch.stack([transform(photo) for photo in photos])


def probabilities(classifier: Classifier, pixels: torch.Tensor) -> NDArray[np.float32]:
    """What torch answers, [photos, classes] float32; one photo at a time to bound memory."""
    with torch.inference_mode():
        return np.concatenate([classifier(row[None]).numpy() for row in pixels])


def to_onnx(member: Member, classifier: Classifier, pixels: torch.Tensor) -> onnx.ModelProto:
    """Export with a free batch axis through torch.export."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):  # the exporter prints its stages
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            classifier,
            (pixels[:1].repeat(2, 1, 1, 1),),
            dynamo=True,
            input_names=[member.pixels],
            output_names=[member.probabilities],
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    forget_origin(model)
    return model


def forget_origin(model: onnx.ModelProto) -> None:
    """Drop what the exporter notes about each node: source lines and paths of the machine that ran it."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    for function in model.functions:
        for part in (function, *function.node):
            del part.metadata_props[:]
            part.doc_string = ""


def store_weights_as_float16(model: onnx.ModelProto) -> None:
    """Halve the file in place: float32 weights become float16 constants with a Cast; arithmetic stays float32."""
    kept, casts = [], []
    for weight in model.graph.initializer:
        if weight.data_type != onnx.TensorProto.FLOAT or np.prod(weight.dims) < 2:
            kept.append(weight)
            continue
        half = numpy_helper.to_array(weight).astype(np.float16)
        kept.append(numpy_helper.from_array(half, name=f"{weight.name}_float16"))
        casts.append(helper.make_node("Cast", [f"{weight.name}_float16"], [weight.name], to=onnx.TensorProto.FLOAT))
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(casts + nodes)


def check_parity(
    member: Member, file: Path, pixels: torch.Tensor, expected: NDArray[np.float32], bound: float
) -> float:
    """Compare ONNX Runtime's answers with torch's on the same pixels; returns the largest difference.

    Raises:
        ParityError: above `bound`.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    batches = [pixels[i : i + 4].numpy() for i in range(0, len(pixels), 4)]
    answers = np.concatenate([session.run([member.probabilities], {member.pixels: batch})[0] for batch in batches])
    difference = float(np.abs(answers - expected).max())
    if not difference <= bound:
        raise ParityError(
            f"{member.name}: ONNX answers differ from torch by up to {difference:.2g} (allowed {bound:g}). "
            "The conversion changed the network: try another timm version or architecture, and keep the folder for a report."
        )
    return difference
