"""Everything that can go wrong here and is the user's to mend.

::

    TrainingError
    ├── ConfigurationError      a preset, key or value is not usable
    ├── WeightsError            pretrained weights cannot be had, or belong to another architecture
    ├── UnfinishedError         what an interrupted run left belongs to another one, or somebody else works on it
    ├── DivergenceError         the loss is no longer a number
    ├── DataError               the photos or their labels
    │   ├── DataLayoutError     train.csv, train_images/, a class folder or a column is missing
    │   ├── DataProblemsError   files or rows are unusable; names each of them
    │   ├── LabelError          a label is not a number, out of range, given twice, or contradicts the task
    │   ├── PhotoError          a photo is missing or cannot be decoded
    │   └── SplitError          the photos cannot be divided as asked
    ├── DeviceError             a device was asked for that this machine does not have
    ├── AttributionError        a network has no feature map to explain it by; reports say so and go on
    ├── ModelFolderError        a trained-model folder is missing, incomplete or inconsistent
    ├── TrackingError           the tracking server or its registry cannot be used
    ├── SearchError             a search cannot begin or go on as asked
    └── TransferError           a push, pull or download did not succeed
        ├── ChecksumError       what lies there is not what was to be there
        └── ArchiveError        an archive is of an unknown kind, damaged, or would write outside its folder

Each message names the file or key and says what to do. The command line prints it and exits with status 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.data.problems import Problem


class TrainingError(Exception):
    """Base of all errors raised on purpose by this room."""


class ConfigurationError(TrainingError):
    """A preset, key or value is not usable."""


class WeightsError(TrainingError):
    """Pretrained weights cannot be had, or belong to another architecture."""


class UnfinishedError(TrainingError):
    """What an interrupted run left belongs to another one, or somebody else works on it."""


class DivergenceError(TrainingError):
    """The loss is no longer a number."""


class DataError(TrainingError):
    """The photos or their labels are not usable."""


class DataLayoutError(DataError):
    """The data folder lacks a file or a column."""


class DataProblemsError(DataError):
    """Files or rows are unusable; `problems` holds each of them (`training.data.problems.Problem`)."""

    def __init__(self, message: str, problems: Sequence[Problem]) -> None:
        super().__init__(message)
        self.problems = list(problems)


class LabelError(DataError):
    """A label is not a number, out of range, given twice, or contradicts the task."""


class PhotoError(DataError):
    """A photo is missing or cannot be decoded."""


class SplitError(DataError):
    """The photos cannot be divided as asked."""


class ModelFolderError(TrainingError):
    """A trained-model folder is missing, incomplete or inconsistent."""


class TrackingError(TrainingError):
    """The tracking server or its registry cannot be used."""


class SearchError(TrainingError):
    """A search cannot begin or go on as asked."""


class TransferError(TrainingError):
    """A push, pull or download did not succeed."""


class ChecksumError(TransferError):
    """What lies there is not what was to be there."""


class ArchiveError(TransferError):
    """An archive is of an unknown kind, damaged, or would write outside its folder."""


class DeviceError(TrainingError):
    """A device was asked for that this machine does not have."""


class AttributionError(TrainingError):
    """A network has no feature map to explain it by; reports say so and go on."""
