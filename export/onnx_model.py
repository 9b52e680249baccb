"""A trained member as an ONNX file: normalised pixels in; probabilities, statistics and activation maps out."""

import io
import logging
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any

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

from export import activation_map
from export.errors import MemberError, ParityError
from export.members import Member
from export.networks import Classifier

OPSET = 20


def load(member: Member, temperature: float = 1.0) -> Classifier:
    """The trained network, by timm alone.

    Raises:
        MemberError: timm does not know the architecture, or the weights do not fit it.
    """
    try:
        network: Any = timm.create_model(f"local-dir:{member.folder}", pretrained=True)
    except (RuntimeError, ValueError, KeyError) as error:
        raise MemberError(f"{member.folder}: timm cannot load {member.architecture}: {error}") from error
    network = network.float().eval()
    maps = None
    if member.outputs.map_size is not None:
        with torch.inference_mode():
            shape = network.forward_features(torch.zeros(1, 3, member.view.height, member.view.width)).shape
        maps = activation_map.find(network, tuple(shape))
        if maps is None:
            raise MemberError(
                f"{member.folder}: its activation maps do not add up to its logits with these weights. Are they damaged?"
            )
    return Classifier(network, maps, temperature).eval()


def view(classifier: Classifier, photos: Sequence[Image.Image]) -> torch.Tensor:
    """Photos through timm's evaluation transform: float32 [photos, 3, height, width]."""
    transform = create_transform(**resolve_model_data_config(classifier.network))
    return torch.stack([transform(photo) for photo in photos])


def answers(classifier: Classifier, pixels: torch.Tensor) -> list[NDArray[np.float32]]:
    """What torch answers, as `Classifier.forward`; probabilities from timm's own forward. One photo at a time.

    The plain forward makes the parity check cover that going through inner feature maps leaves logits as they are.
    """
    rows = []
    with torch.inference_mode():
        for row in pixels:
            logits = classifier.network(row[None]).float()
            plain = torch.softmax(logits / classifier.temperature, dim=1)
            rows.append([plain, *classifier(row[None])[1:]])
    return [torch.cat(column).numpy() for column in zip(*rows, strict=True)]


def output_names(member: Member) -> list[str]:
    """Tensors of a member's step, in the order of `Classifier.forward`."""
    maps = [] if member.outputs.map_size is None else [member.activation_map]
    return [member.probabilities, member.statistics, *maps]


def to_onnx(member: Member, classifier: Classifier, pixels: torch.Tensor) -> onnx.ModelProto:
    """Export with a free batch axis through torch.export.

    Raises:
        MemberError: torch cannot export the architecture.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):  # the exporter prints its stages
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(
                classifier,
                (pixels[:1].repeat(2, 1, 1, 1),),
                dynamo=True,
                input_names=[member.pixels],
                output_names=output_names(member),
                dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
                opset_version=OPSET,
                verbose=False,
            )
        except Exception as error:  # the exporter's errors have no common base of their own
            reason = " ".join(str(error).split())[:300]
            raise MemberError(f"{member.name}: torch cannot export {member.architecture} to ONNX: {reason}") from error
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
    member: Member,
    session: onnxruntime.InferenceSession,
    pixels: torch.Tensor,
    expected: Sequence[NDArray[np.float32]],
    bound: float,
) -> float:
    """Compare a session's answers with torch's on the same pixels; returns the largest difference of a probability.

    Statistics and activation maps have no fixed scale: they are held to `bound` relative to their largest value.

    Args:
        expected: torch's answers, as `answers`.

    Raises:
        ParityError: above `bound`.
    """
    batches = [pixels[i : i + 4].numpy() for i in range(0, len(pixels), 4)]
    names = output_names(member)
    rows = [session.run(names, {member.pixels: batch}) for batch in batches]
    differences = []
    for name, converted, trained in zip(names, zip(*rows, strict=True), expected, strict=True):
        scale = 1.0 if name == member.probabilities else max(float(np.abs(trained).max()), 1.0)
        differences.append(float(np.abs(np.concatenate(converted) - trained).max()) / scale)
        if not differences[-1] <= bound:
            raise ParityError(
                f"{member.name}: ONNX answers on {session.get_providers()[0]} differ from torch by up to {differences[-1]:.2g} "
                f"in {name} (allowed {bound:g}). The conversion changed the network: try another timm version or architecture, "
                "and keep the folder for a report."
            )
    return differences[0]
