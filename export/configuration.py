"""Triton model configurations of every step, written through Triton's own protobuf.

Tensor names say what they hold and are the same along every step of the ensemble.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from export.errors import ReleaseFactsError
from export.members import Member
from export.plan_files import plan_names

MAX_BATCH_SIZE = 16
QUEUE_SIZE = 64
"""Photos that wait before the first step; more are refused at once. Only there: a full queue behind it would wedge the
ensemble in Triton before 26.02 (triton-inference-server/core #466)."""
QUEUE_TIMEOUT_US = 10_000_000
"""A request that waited longer in one queue is refused; a client may ask for less."""
ENCODED_IMAGE = "encoded_image"
PROBABILITIES = "probabilities"
OUTLIER_SCORE = "outlier_score"
PREPROCESS = "preprocess"
AVERAGE = "average"
ENSEMBLE = "leaf_ensemble"
WARMUP_PHOTO = "leaf.jpg"
PARAMETERS_LIMIT_BYTES = 64 * 1024


def preprocess_step(members: list[Member], warmup_bytes: int, name: str = PREPROCESS) -> pb.ModelConfig:
    """DALI: image file in, one view per member out."""
    config = _step(name, backend="dali")
    config.input.add(name=ENCODED_IMAGE, data_type=pb.TYPE_UINT8, dims=[-1], allow_ragged_batch=True)
    for member in members:
        config.output.add(name=member.pixels, data_type=pb.TYPE_FP32, dims=[3, member.view.height, member.view.width])
    config.dynamic_batching.default_queue_policy.max_queue_size = QUEUE_SIZE
    warmup = config.model_warmup.add(name="a_leaf", batch_size=1)
    warmup.inputs[ENCODED_IMAGE].CopyFrom(
        pb.ModelWarmup.Input(data_type=pb.TYPE_UINT8, dims=[warmup_bytes], input_data_file=WARMUP_PHOTO)
    )
    return config


def member_step(member: Member) -> pb.ModelConfig:
    """A member's engine: a TensorRT plan on a GPU host; without one, the stand-in runs the ONNX file beside it."""
    config = _step(member.name, backend="tensorrt", platform="tensorrt_plan")
    config.instance_group[0].count = 2  # one computes while the other's batch is gathered or answered
    dims = [3, member.view.height, member.view.width]
    config.input.add(name=member.pixels, data_type=pb.TYPE_FP32, dims=dims)
    config.output.add(name=member.probabilities, data_type=pb.TYPE_FP32, dims=[member.class_count])
    config.output.add(name=member.statistics, data_type=pb.TYPE_FP32, dims=[member.outputs.statistics])
    _add_map(config, member)
    config.optimization.cuda.graphs = True
    config.cc_model_filenames.update(plan_names())
    warmup = config.model_warmup.add(name="noise", batch_size=1)
    warmup.inputs[member.pixels].CopyFrom(pb.ModelWarmup.Input(data_type=pb.TYPE_FP32, dims=dims, random_data=True))
    return config


def average_step(members: list[Member], name: str = AVERAGE) -> pb.ModelConfig:
    """Weighted mean of the members' probabilities and the outlier score, on the CPU everywhere: the tensors are small."""
    config = _step(name, backend="onnxruntime", platform="onnxruntime_onnx")
    classes = members[0].class_count
    for member in members:
        config.input.add(name=member.probabilities, data_type=pb.TYPE_FP32, dims=[classes])
    for member in members:
        config.input.add(name=member.statistics, data_type=pb.TYPE_FP32, dims=[member.outputs.statistics])
    _add_answers(config, members)
    config.instance_group[0].kind = pb.ModelInstanceGroup.KIND_CPU
    return config


@dataclass(frozen=True)
class StepNames:
    """Names of the two steps that depend on all members; numbered where a repository holds several sets of members."""

    preprocess: str = PREPROCESS
    average: str = AVERAGE


def ensemble(
    members: list[Member], release: int | None, facts: dict[str, Any], names: StepNames = StepNames()
) -> pb.ModelConfig:
    """Ties the steps: `leaf_ensemble` runs the newest versions, `leaf_ensemble_<release>` pins one.

    `facts` is what a client must know; each value becomes a JSON string, since Triton keeps no order of its own.

    Raises:
        ReleaseFactsError: the facts exceed what is comfortable in a configuration (64 KB).
    """
    version = -1 if release is None else release
    config = pb.ModelConfig(
        name=ENSEMBLE if release is None else f"{ENSEMBLE}_{release}",
        platform="ensemble",
        max_batch_size=MAX_BATCH_SIZE,
    )
    config.input.add(name=ENCODED_IMAGE, data_type=pb.TYPE_UINT8, dims=[-1])
    _add_answers(config, members)
    for member in members:
        _add_map(config, member)
    steps = config.ensemble_scheduling.step
    _tie(steps.add(model_name=names.preprocess, model_version=version), [ENCODED_IMAGE], [m.pixels for m in members])
    for member in members:
        maps = [] if member.outputs.map_size is None else [member.activation_map]
        outputs = [member.probabilities, member.statistics, *maps]
        _tie(steps.add(model_name=member.name, model_version=version), [member.pixels], outputs)
    _tie(
        steps.add(model_name=names.average, model_version=version),
        [*(m.probabilities for m in members), *(m.statistics for m in members)],
        [*answers(members), OUTLIER_SCORE],
    )
    for key, value in facts.items():
        config.parameters[key].string_value = _json(value)
    if room_beside(facts) < 0:
        raise ReleaseFactsError(
            f"The release's facts take {-room_beside(facts)} bytes more than {PARAMETERS_LIMIT_BYTES}: shorten names and advice."
        )
    return config


def room_beside(facts: dict[str, Any]) -> int:
    """Bytes that an ensemble's parameters have left; negative where they are too many."""
    return PARAMETERS_LIMIT_BYTES - sum(len(_json(value).encode()) for value in facts.values())


def answers(members: list[Member]) -> list[str]:
    """Class probabilities that the ensemble answers: the mean, then each member."""
    return [PROBABILITIES, *(member.answer for member in members)]


def to_text(config: pb.ModelConfig) -> str:
    """Protobuf text as Triton reads it, UTF-8 kept readable."""
    return str(text_format.MessageToString(config, as_utf8=True))


def from_text(text: str) -> pb.ModelConfig:
    """Parse protobuf text."""
    return text_format.Parse(text, pb.ModelConfig())


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _add_answers(config: pb.ModelConfig, members: list[Member]) -> None:
    """What leaves by way of the averaging step."""
    for name in answers(members):
        config.output.add(name=name, data_type=pb.TYPE_FP32, dims=[members[0].class_count])
    config.output.add(name=OUTLIER_SCORE, data_type=pb.TYPE_FP32, dims=[1])


def _add_map(config: pb.ModelConfig, member: Member) -> None:
    """Activation maps, where the member's head has them; no other step reads them, so they may leave directly."""
    if member.outputs.map_size is not None:
        dims = [member.class_count, *member.outputs.map_size]
        config.output.add(name=member.activation_map, data_type=pb.TYPE_FP32, dims=dims)


def _step(name: str, backend: str, platform: str = "") -> pb.ModelConfig:
    config = pb.ModelConfig(name=name, backend=backend, platform=platform, max_batch_size=MAX_BATCH_SIZE)
    config.instance_group.add(count=1)  # no kind: a GPU where there is one
    config.version_policy.all.SetInParent()
    policy = config.dynamic_batching.default_queue_policy
    policy.timeout_action = pb.ModelQueuePolicy.REJECT
    policy.default_timeout_microseconds = QUEUE_TIMEOUT_US
    policy.allow_timeout_override = True
    return config


def _tie(step: Any, inputs: Iterable[str], outputs: Iterable[str]) -> None:
    step.input_map.update({name: name for name in inputs})
    step.output_map.update({name: name for name in outputs})
