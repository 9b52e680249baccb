"""The model repository as files: which releases it holds, of which steps, and taking one out of it.

A release is the ensemble `leaf_ensemble_N` and version folder `N/` in each of its steps. What is taken out goes to
`.retired/N/`: its number is not given again, and Triton looks into no step's folder but `N/`.
"""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from gateway.errors import ReleaseRefused, UnknownRelease
from gateway.triton.releases import ensemble_name, release_number

RETIRED = ".retired"
_CONFIG = "config.pbtxt"
_KEPT_OF_PRUNED = ("report.json",)


@dataclass(frozen=True, slots=True)
class ReleaseFiles:
    """A release on disk: its number, and the names of its steps in their order."""

    number: int
    steps: tuple[str, ...]


class ModelRepository:
    """A folder in Triton's layout; one process at a time changes it (`ChangeLock`)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def numbers(self) -> list[int]:
        """Releases that are there, the newest first."""
        found = (release_number(path.name) for path in self._folder.iterdir() if (path / _CONFIG).is_file())
        return sorted((number for number in found if number is not None), reverse=True)

    def read(self, number: int) -> ReleaseFiles:
        """One release.

        Raises:
            UnknownRelease: it is not there.
            ReleaseRefused: its configuration cannot be read.
        """
        if not (self._folder / ensemble_name(number) / _CONFIG).is_file():
            there = ", ".join(map(str, self.numbers())) or "none"
            raise UnknownRelease(f"There is no release {number} in {self._folder}; there are: {there}.")
        steps = self._config(ensemble_name(number)).ensemble_scheduling.step
        return ReleaseFiles(number, tuple(dict.fromkeys(step.model_name for step in steps)))

    def shapes(self, step: str) -> frozenset[tuple[object, ...]]:
        """What a step's configuration says of its tensors, comparable with `shapes_of` what is loaded.

        Raises:
            ReleaseRefused: its configuration cannot be read.
        """
        return shapes_of(self._config(step))

    def retire(self, number: int, steps: Iterable[str], *, keep_files: bool) -> None:
        """Take a release's versions, then its ensemble, out of the repository, one rename each; what was done stays done.

        Args:
            steps: whose version folder is taken out.
            keep_files: of a refused release, to look into; of a pruned one only its report stays.
        """
        target = self._folder / RETIRED / str(number)
        target.mkdir(parents=True, exist_ok=True)
        ensemble = ensemble_name(number)
        if (self._folder / ensemble).is_dir():
            _move(self._folder / ensemble, target / ensemble)
        for step in steps:
            if (self._folder / step / str(number)).is_dir():
                (target / step).mkdir(exist_ok=True)
                _move(self._folder / step / str(number), target / step / str(number))
        if not keep_files:
            for name in _KEPT_OF_PRUNED:
                if (target / ensemble / name).is_file():
                    (target / ensemble / name).replace(target / name)
            for folder in target.iterdir():
                if folder.is_dir():
                    shutil.rmtree(folder)

    def leftovers(self) -> dict[int, set[str]]:
        """Steps by release number of version folders whose ensemble is gone, such as after a kill within `retire`."""
        there = set(self.numbers())
        found: dict[int, set[str]] = {}
        for config in self._folder.glob(f"*/{_CONFIG}"):
            for version in config.parent.iterdir():
                if (
                    version.name.isdecimal()
                    and release_number(config.parent.name) is None
                    and int(version.name) not in there
                ):
                    found.setdefault(int(version.name), set()).add(config.parent.name)
        return found

    def _config(self, model: str) -> pb.ModelConfig:
        file = self._folder / model / _CONFIG
        try:
            return text_format.Parse(file.read_text(encoding="utf-8"), pb.ModelConfig())
        except (OSError, ValueError, text_format.ParseError) as error:
            raise ReleaseRefused(f"{file} cannot be read: {error}.") from error


def shapes_of(config: pb.ModelConfig) -> frozenset[tuple[object, ...]]:
    """The tensors of a model: which way, name, type, dimensions, and how many at once."""
    tensors = [("in", each) for each in config.input] + [("out", each) for each in config.output]
    return frozenset((way, each.name, each.data_type, tuple(each.dims), config.max_batch_size) for way, each in tensors)


def _move(source: Path, target: Path) -> None:
    if target.exists():
        shutil.rmtree(target)
    source.rename(target)
