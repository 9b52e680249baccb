"""Writes the steps of an ensemble into a model repository: configurations, warm-up picture, preprocessing.

A step's configuration belongs to all its versions, so one that differs from what is there is never overwritten.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from tritonclient.grpc.model_config_pb2 import ModelConfig

from export import configuration
from export.configuration import StepNames
from export.durable import write
from export.errors import StepConflictError
from export.members import Member

PIPELINE = Path(__file__).parent / "pipeline" / "dali.py"
WARMUP_PHOTO = Path(__file__).parent / "pipeline" / "leaf.jpg"
"""Drawn by `draw_leaf`; kept as a file, because its length is part of a configuration that must not change."""


@dataclass(frozen=True)
class Plan:
    """What a release needs besides versions."""

    names: StepNames
    configurations: tuple[ModelConfig, ...]
    """Of the steps, and of the readable original where the repository has none of other members."""


def plan_steps(repository: Path, members: list[Member]) -> Plan:
    """Configurations that fit into a repository; weights are not needed and nothing is written.

    The steps that depend on all members get a free number where the repository holds those of other members
    (`average_2`); the readable `leaf_ensemble` stays the one of the first members.

    Raises:
        StepConflictError: a member's name is taken by another configuration.
    """
    member_steps = []
    for member in members:
        config = _agreed(repository, configuration.member_step(member))
        if config is None:
            raise StepConflictError(
                f"{repository / member.name / 'config.pbtxt'} differs from what this release needs (shape, types, outputs "
                "or batch size). Other releases share it, so it stays: rename the member's folder to a new step name."
            )
        member_steps.append(config)
    photo_bytes = WARMUP_PHOTO.stat().st_size
    preprocess = configuration.preprocess_step(members, photo_bytes)
    preprocess.name = _free_name(repository, preprocess)
    average = configuration.average_step(members)
    average.name = _free_name(repository, average)
    names = StepNames(preprocess.name, average.name)
    original = configuration.ensemble(members, None, {}, names)
    configs = [*member_steps, preprocess, average]
    if _agreed(repository, original) is not None:
        configs.append(original)
    return Plan(names, tuple(configs))


def write_steps(repository: Path, plan: Plan) -> None:
    """Write the configurations that are not there yet, and the warm-up picture."""
    for config in plan.configurations:
        file = repository / config.name / "config.pbtxt"
        if not file.is_file():
            write(file, configuration.to_text(config).encode())
    write(repository / plan.names.preprocess / "warmup" / configuration.WARMUP_PHOTO, WARMUP_PHOTO.read_bytes())


def write_preprocessing(folder: Path, members: list[Member]) -> None:
    """The DALI pipeline and the views it produces, into a version folder of the preprocessing step."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PIPELINE, folder / "dali.py")
    views = [{"output": member.pixels, **asdict(member.view)} for member in members]
    (folder / "preprocessing.json").write_text(json.dumps(views, indent=1) + "\n")


def _agreed(repository: Path, config: ModelConfig) -> ModelConfig | None:
    """The configuration under this one's name, be it yet to come; None where it is another.

    Which plans a step names is its own: that list grows with the GPUs there are, and a step keeps the one it began with.
    """
    file = repository / config.name / "config.pbtxt"
    if not file.is_file():
        return config
    present = configuration.from_text(file.read_text(encoding="utf-8"))
    wanted = ModelConfig()
    wanted.CopyFrom(config)
    wanted.cc_model_filenames.clear()
    wanted.cc_model_filenames.update(present.cc_model_filenames)
    return present if present == wanted else None


def _free_name(repository: Path, config: ModelConfig) -> str:
    """The configuration's name, numbered until nothing else has it."""
    base, number = config.name, 1
    candidate = ModelConfig()
    candidate.CopyFrom(config)
    while _agreed(repository, candidate) is None:
        number += 1
        candidate.name = f"{base}_{number}"
    return str(candidate.name)
