"""What export refuses; every message says what to do.

ExportError
├── MemberError          a trained-model folder is incomplete, unreadable or of an unsupported kind
├── MembersDisagreeError members of one release differ in classes or split
├── ParityError          a converted network answers differently from the trained one
├── StepConflictError    the repository holds a step of the same name with another configuration
└── ReleaseFactsError    what a client must know does not fit into the ensemble's configuration
"""


class ExportError(Exception):
    """Base of all errors of this room; printed as one message, exit code 1."""


class MemberError(ExportError):
    """A trained-model folder cannot be used."""


class MembersDisagreeError(ExportError):
    """Members do not belong together."""


class ParityError(ExportError):
    """Conversion changed the answers."""


class StepConflictError(ExportError):
    """A step's configuration belongs to all its versions and must not change."""


class ReleaseFactsError(ExportError):
    """Names and advice are too long for a Triton configuration."""
