"""The release that all systems answer from, as a peer needs it: networks, weights, temperatures, precision."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

_ENSEMBLE = re.compile(r"leaf_ensemble_(\d+)")


@dataclass(frozen=True)
class Member:
    """One network: `folder` of its trained model (weights as PyTorch has them), `onnx` as the release runs it."""

    name: str
    folder: str
    onnx: str
    input: str
    output: str
    precision: str
    temperature: float
    weight: float


@dataclass(frozen=True)
class Release:
    """The newest release of a repository. `temperature` is of the average."""

    ensemble: str
    members: tuple[Member, ...]
    temperature: float

    def write(self, file: Path) -> None:
        """As JSON, for a peer's process."""
        file.write_text(json.dumps(asdict(self)))


def read(repository: Path, folders: Path) -> Release:
    """The newest release of `repository`; its trained-model folders lie in `folders`, by name.

    Raises:
        SystemExit: there is none, or a folder is missing.
    """
    numbers = [
        int(found[1]) for path in repository.glob("leaf_ensemble_*") if (found := _ENSEMBLE.fullmatch(path.name))
    ]
    if not numbers:
        raise SystemExit(f"bench: {repository} holds no release: `make fullsize` or `make export` writes one.")
    ensemble = f"leaf_ensemble_{max(numbers)}"
    configuration = _configuration(repository / ensemble)
    parameters = {name: json.loads(value.string_value) for name, value in configuration.parameters.items()}
    versions = {step.model_name: step.model_version for step in configuration.ensemble_scheduling.step}
    members = [
        _member(repository, folders, versions, told, weight)
        for told, weight in zip(parameters["members"], parameters["weights"], strict=True)
    ]
    return Release(ensemble, tuple(members), float(parameters.get("temperature", 1.0)))


def _configuration(step: Path) -> Any:
    return text_format.Parse((step / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())


def _member(repository: Path, folders: Path, versions: dict[str, int], told: dict[str, Any], weight: float) -> Member:
    name = told["name"]
    # a step of other shapes has a number behind its member's name
    step = next(each for each in versions if each == name or each.startswith(f"{name}_"))
    version = repository / step / str(versions[step])
    configuration = _configuration(repository / step)
    if not (folders / name / "config.json").is_file():
        raise SystemExit(
            f"bench: {folders / name} is no trained-model folder: say where the members' lie with --members."
        )
    engine = version / "cpu_engine.json"
    return Member(
        name=name,
        folder=str((folders / name).resolve()),
        onnx=str((version / "model.onnx").resolve()),
        input=configuration.input[0].name,
        output=next(tensor.name for tensor in configuration.output if tensor.name.startswith("probabilities")),
        precision=json.loads(engine.read_text())["precision"] if engine.is_file() else "float32",
        temperature=float(told.get("temperature", 1.0)),
        weight=float(weight),
    )
