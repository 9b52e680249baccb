"""What export refuses; every message says what to do.

ExportError
├── MemberError          a trained-model folder is incomplete, unreadable or of an unsupported kind
├── ChampionError        the registry names no members, or does not answer
├── MembersDisagreeError members of one release differ in classes or split
├── ParityError          a converted network answers differently from the trained one
├── RefusalError         the pictures to fit the outlier score on are not what was named
├── PredecessorError     the release to follow is not there, or cannot be compared with
├── GateError            a figure is outside what a release may have
├── HalfPrecisionError   float16 overflows, moves answers, or nothing could be proved of it
├── GpuError             the host's GPUs cannot be told, as its driver or its tool fails
├── ProviderError        ONNX Runtime's CUDA provider does not start here
├── EngineError          TensorRT is not there, of another version, or cannot build or run a network
├── VerifyError          a repository's plans do not belong to this host
├── ServedError          a release does not answer through Triton
├── StepConflictError    the repository holds a step of the same name with another configuration
└── ReleaseFactsError    what a client must know does not fit into the ensemble's configuration
"""


class ExportError(Exception):
    """Base of all errors of this room; printed as one message, exit code 1."""


class MemberError(ExportError):
    """A trained-model folder cannot be used."""


class ChampionError(ExportError):
    """Members cannot be taken from the registry."""


class MembersDisagreeError(ExportError):
    """Members do not belong together."""


class ParityError(ExportError):
    """Conversion changed the answers."""


class RefusalError(ExportError):
    """Pictures of other things are not there, or none are left to measure on."""


class PredecessorError(ExportError):
    """There is nothing to measure the new release against."""


class GateError(ExportError):
    """A release did not prove itself."""


class HalfPrecisionError(ExportError):
    """Half precision changes what a member answers."""


class GpuError(ExportError):
    """Nobody knows which GPUs this host has."""


class ProviderError(ExportError):
    """ONNX Runtime cannot compute on a GPU here."""


class EngineError(ExportError):
    """A TensorRT plan cannot be built or run here."""


class VerifyError(ExportError):
    """Plans that Triton could not load, or that are not what they say."""


class ServedError(ExportError):
    """Triton does not start with a release, or fails its requests."""


class StepConflictError(ExportError):
    """A step's configuration belongs to all its versions and must not change."""


class ReleaseFactsError(ExportError):
    """Names and advice are too long for a Triton configuration."""
