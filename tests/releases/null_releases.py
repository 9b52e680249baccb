"""Writes releases as export lays them out, of steps that answer at once: version folders in four steps, a pinned ensemble.

Each release betrays itself: the last class's probability, of the mean and of every member, is a ten-thousandth of its number.
"""

import base64
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf import text_format
from null_repository import CLASS_NAMES, MEMBERS, OUTLIER_THRESHOLD, release_parameters
from pictures import encoded, textured
from tritonclient.grpc import model_config_pb2 as pb

MARK = 10_000
CLASSES = len(CLASS_NAMES)


@dataclass(frozen=True)
class NullRelease:
    """What a release says, and what is wrong with it."""

    number: int
    classes: int = CLASSES
    """Another count than the repository's first gives the steps other names, as export does."""
    winner: int = 0
    """The class that it answers; never the last."""
    says: dict[str, object] = field(default_factory=dict)
    """For every step's `says.json`."""
    spoiled: dict[str, object] = field(default_factory=dict)
    """For `vit_base_384` alone."""
    promised_winner: int | None = None
    """The class that its probes promise, where it is another one."""
    probes: bool = True

    @property
    def suffix(self) -> str:
        """Of step names."""
        return "" if self.classes == CLASSES else f"_{self.classes}"

    def answer(self, winner: int) -> list[float]:
        """Probabilities, `[classes]`."""
        row = [0.02] * (self.classes - 1) + [self.number / MARK]
        row[winner] += 1 - sum(row)
        return row

    def write(self, repository: Path) -> str:
        """Write it whole, the ensemble last; returns the ensemble's name."""
        self._step(repository, "preprocess", {"encoded_image": None}, {"marks": 2})
        for member in MEMBERS:
            outputs = {f"probabilities_{member}": self.classes, f"marks_{member}": 2}
            self._step(repository, member, {"marks": 2}, outputs)
        inputs = {f"{name}_{member}": size for member in MEMBERS for name, size in self._handed_on().items()}
        self._step(repository, "average", inputs, self._outputs())
        return self._ensemble(repository)

    def _handed_on(self) -> dict[str, int]:
        return {"probabilities": self.classes, "marks": 2}

    def _outputs(self) -> dict[str, int]:
        answers = ("probabilities", *(f"answer_{member}" for member in MEMBERS))
        return dict.fromkeys(answers, self.classes) | {"outlier_score": 1}

    def _step(self, repository: Path, step: str, inputs: dict[str, int | None], outputs: dict[str, int]) -> None:
        config = pb.ModelConfig(name=f"{step}{self.suffix}", backend="python", max_batch_size=8)
        for name, size in inputs.items():
            if size is None:
                config.input.add(name=name, data_type=pb.TYPE_UINT8, dims=[-1], allow_ragged_batch=True)
            else:
                config.input.add(name=name, data_type=pb.TYPE_FP32, dims=[size])
        for name, size in outputs.items():
            config.output.add(name=name, data_type=pb.TYPE_FP32, dims=[size])
        config.instance_group.add(count=1, kind=pb.ModelInstanceGroup.KIND_CPU)
        config.version_policy.all.SetInParent()
        policy = config.dynamic_batching.default_queue_policy
        policy.max_queue_size = 256
        policy.allow_timeout_override = True
        folder = repository / config.name
        version = folder / str(self.number)
        version.mkdir(parents=True)
        text = text_format.MessageToString(config)
        if not (folder / "config.pbtxt").is_file():  # it is never written again: that would load every version anew
            (folder / "config.pbtxt").write_text(text)
        assert (folder / "config.pbtxt").read_text() == text
        shutil.copy(Path(__file__).with_name("null_step.py"), version / "model.py")
        (version / "__pycache__").touch()  # a file: with a folder there, every version would count as changed
        kind = "member" if step in MEMBERS else step
        says = {"step": kind, "probabilities": self.answer(self.winner), **self.says}
        if step == MEMBERS[1]:
            says |= self.spoiled
        (version / "says.json").write_text(json.dumps(says))

    def _ensemble(self, repository: Path) -> str:
        name = f"leaf_ensemble_{self.number}"
        config = pb.ModelConfig(name=name, platform="ensemble", max_batch_size=8)
        config.input.add(name="encoded_image", data_type=pb.TYPE_UINT8, dims=[-1])
        for output, size in self._outputs().items():
            config.output.add(name=output, data_type=pb.TYPE_FP32, dims=[size])
        self._tie(config, "preprocess", ["encoded_image"], ["marks"])
        for member in MEMBERS:
            self._tie(config, member, ["marks"], [f"{name}_{member}" for name in self._handed_on()])
        handed_on = [f"{name}_{member}" for member in MEMBERS for name in self._handed_on()]
        self._tie(config, "average", handed_on, list(self._outputs()))
        for key, value in self._parameters().items():
            config.parameters[key].string_value = json.dumps(value)
        (repository / name / str(self.number)).mkdir(parents=True)
        (repository / name / "config.pbtxt").write_text(text_format.MessageToString(config))
        return name

    def _tie(self, config: pb.ModelConfig, step: str, inputs: list[str], outputs: list[str]) -> None:
        tied = config.ensemble_scheduling.step.add(model_name=f"{step}{self.suffix}", model_version=self.number)
        tied.input_map.update({name: name for name in inputs})
        tied.output_map.update({name: name for name in outputs})

    def _parameters(self) -> dict[str, object]:
        parameters = release_parameters(
            self.number,
            thresholds={"prediction_set_probability": 0.3, "coverage": 0.95},
            outlier={"output": "outlier_score", "threshold": OUTLIER_THRESHOLD},
        )
        if self.classes != CLASSES:
            keys = [f"class_{place}" for place in range(self.classes)]
            parameters["classes"] = [{"key": key, "names": {"en": key.replace("_", " ")}} for key in keys]
        if self.probes:
            winner = self.winner if self.promised_winner is None else self.promised_winner
            photos = [{"jpeg": jpeg, "probabilities": self.answer(winner)} for jpeg in PROBES]
            parameters["probes"] = {"tolerance": 0.05, "photos": photos}
        return parameters


PROBES = [base64.b64encode(encoded(textured(80, 64, seed), "JPEG", quality=70)).decode() for seed in range(2)]
