"""Everything that can go wrong here and is the user's to mend.

::

    TrainingError
    ├── ConfigurationError      a preset, key or value is not usable
    ├── DataError               the photos or their labels
    │   ├── DataLayoutError     train.csv, train_images/ or a column is missing
    │   ├── LabelError          a label is not a number, out of range, given twice, or contradicts the task
    │   ├── PhotoError          a photo is missing or cannot be decoded
    │   └── SplitError          the photos cannot be divided as asked
    ├── ModelFolderError        a trained-model folder is missing, incomplete or inconsistent
    ├── TrackingError           the tracking server or its registry cannot be used
    ├── SearchError             a search cannot begin or go on as asked
    └── TransferError           a push, pull or download did not succeed
        ├── ChecksumError       what lies there is not what was to be there
        └── ArchiveError        an archive is of an unknown kind, damaged, or would write outside its folder

Each message names the file or key and says what to do. The command line prints it and exits with status 2.
"""


class TrainingError(Exception):
    """Base of all errors raised on purpose by this room."""


class ConfigurationError(TrainingError):
    """A preset, key or value is not usable."""


class DataError(TrainingError):
    """The photos or their labels are not usable."""


class DataLayoutError(DataError):
    """The data folder lacks a file or a column."""


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
