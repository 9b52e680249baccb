"""Reads a model repository before Triton does, so that what is missing is named plainly."""

import re
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from server.errors import RepositoryError

ENSEMBLE = re.compile(r"leaf_ensemble_(\d+)")
# what a stand-in opens in a version folder, by production backend
MODEL_FILES = {"dali": ("dali.py", "preprocessing.json"), "tensorrt": ("model.onnx",), "onnxruntime": ("model.onnx",)}


def releases(repository: Path) -> list[int]:
    """Numbers of the releases in the repository, ascending.

    Raises:
        RepositoryError: the folder is missing.
    """
    if not repository.is_dir():
        raise RepositoryError(
            f"The model repository {repository} does not exist: give an existing folder, or `make export`."
        )
    return sorted(int(m[1]) for p in repository.iterdir() if (m := ENSEMBLE.fullmatch(p.name)))


def newest_ensemble(repository: Path) -> str:
    """Name of the ensemble of the highest-numbered release.

    Raises:
        RepositoryError: there is no release.
    """
    numbers = releases(repository)
    if not numbers:
        raise RepositoryError(
            f"{repository} holds no release (no leaf_ensemble_<number>): `make export` or `make fullsize` writes one."
        )
    return f"leaf_ensemble_{numbers[-1]}"


def read_configuration(step: Path) -> model_config_pb2.ModelConfig:
    """Parse a step's `config.pbtxt`.

    Raises:
        RepositoryError: the file is missing or is not a model configuration.
    """
    file = step / "config.pbtxt"
    try:
        return text_format.Parse(file.read_text(), model_config_pb2.ModelConfig())
    except OSError:
        raise RepositoryError(f"{file} is missing: the step {step.name!r} is not in this repository.") from None
    except text_format.ParseError as error:
        raise RepositoryError(f"{file} is not a Triton model configuration: {error}") from None


def check_model_files(repository: Path, ensemble: str) -> None:
    """Check that every step which `ensemble` pins has its files.

    Raises:
        RepositoryError: names the first missing file and what writes it.
    """
    for step in read_configuration(repository / ensemble).ensemble_scheduling.step:
        configuration = read_configuration(repository / step.model_name)
        backend = configuration.backend or configuration.platform.split("_")[0]
        for name in MODEL_FILES.get(backend, ()):
            file = version_folder(repository / step.model_name, step.model_version) / name
            if not file.is_file():
                raise RepositoryError(
                    f"The model file {file} is missing, which {ensemble} needs: write the release again with "
                    "`make export` (or `make fullsize`)."
                )


def version_folder(step: Path, version: int) -> Path:
    """Folder of a version of a step; -1 means its newest, as in Triton."""
    if version == -1:
        version = max((int(p.name) for p in step.iterdir() if p.name.isdecimal()), default=1)
    return step / str(version)
