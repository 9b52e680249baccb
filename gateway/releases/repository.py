"""The model repository as files: which releases it holds, of which steps, and taking one out of it.

A release is the ensemble `leaf_ensemble_N` and the versions of steps that it pins. What is taken out goes to `.retired/N/`, so
that its number is not given again.
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from gateway.errors import ReleaseRefused, RouteConflict, UnknownRelease
from gateway.triton.releases import ensemble_name, release_number

RETIRED = ".retired"
_CONFIG = "config.pbtxt"
_EXPORT_LOCK = ".export.lock"
"""Held by whoever writes a release."""
_KEPT_OF_PRUNED = ("report.json",)


@dataclass(frozen=True, slots=True)
class ReleaseFiles:
    """A release on disk: its number, its steps with the version that it pins, and of these the ones that only it pins."""

    number: int
    versions: tuple[tuple[str, int], ...]
    own: tuple[tuple[str, int], ...]

    @property
    def steps(self) -> tuple[str, ...]:
        """Names of the steps."""
        return tuple(name for name, _ in self.versions)


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
        versions = self._pinned(number)
        others = {pair for other in self.numbers() if other != number for pair in self._pinned(other)}
        return ReleaseFiles(number, versions, tuple(pair for pair in versions if pair not in others))

    def read_any(self, number: int) -> ReleaseFiles:
        """The same, also of versions whose ensemble is gone.

        Raises:
            UnknownRelease, ReleaseRefused
        """
        try:
            return self.read(number)
        except UnknownRelease:
            for files in self.leftovers():
                if files.number == number:
                    return files
            raise

    def shapes(self, step: str) -> frozenset[tuple[object, ...]]:
        """What a step's configuration says of its tensors, comparable with `shapes_of` what is loaded.

        Raises:
            ReleaseRefused: its configuration cannot be read.
        """
        return shapes_of(self._config(step))

    def retire(self, files: ReleaseFiles, *, keep_files: bool) -> None:
        """Take a release out of the repository, one rename each; whatever was done when it is killed, the rest still loads.

        Args:
            keep_files: of a refused release, to look into; of a pruned one only its report stays.
        """
        target = self._folder / RETIRED / str(files.number)
        target.mkdir(parents=True, exist_ok=True)
        ensemble = ensemble_name(files.number)
        if (self._folder / ensemble).is_dir():
            _move(self._folder / ensemble, target / ensemble)
        for step, version in files.own:
            if (self._folder / step / str(version)).is_dir():
                (target / step).mkdir(exist_ok=True)
                _move(self._folder / step / str(version), target / step / str(version))
        if not keep_files:
            for name in _KEPT_OF_PRUNED:
                if (target / ensemble / name).is_file():
                    (target / ensemble / name).replace(target / name)
            for folder in target.iterdir():
                if folder.is_dir():
                    shutil.rmtree(folder)

    def leftovers(self) -> list[ReleaseFiles]:
        """Versions of the releases' steps that none pins, such as after a kill within `retire`; hold `writing` meanwhile.

        Models that no release uses are somebody else's, with all their versions.
        """
        pinned = {pair for number in self.numbers() for pair in self._pinned(number)}
        found: dict[int, list[tuple[str, int]]] = {}
        for step in sorted({step for step, _ in pinned}):
            for folder in (self._folder / step).glob("*"):
                if folder.name.isdecimal() and (pair := (step, int(folder.name))) not in pinned:
                    found.setdefault(pair[1], []).append(pair)
        return [ReleaseFiles(number, tuple(pairs), tuple(pairs)) for number, pairs in sorted(found.items())]

    def has_versions(self, step: str) -> bool:
        """Whether a step has a version left."""
        return any(folder.name.isdecimal() for folder in (self._folder / step).iterdir())

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep exports out for the block; the system frees it when the process dies.

        Raises:
            RouteConflict: an export writes a release now.
        """
        with (self._folder / _EXPORT_LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RouteConflict(f"An export writes into {self._folder} now. Try again when it is done.") from error
            yield

    def _pinned(self, number: int) -> tuple[tuple[str, int], ...]:
        steps = self._config(ensemble_name(number)).ensemble_scheduling.step
        return tuple(dict.fromkeys((step.model_name, step.model_version) for step in steps))

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
