"""What can go wrong before or while Triton runs; every message says what to do.

ServerError
├── PlatformError        no tritonserver wheel for this operating system or processor
├── InstallationError    the Python environment cannot host Triton's Python stub (numpy, libpython, missing package)
├── RepositoryError      the model repository lacks a release, a step or a model file
├── ExposedError         others could reach a Triton that is for this machine alone
├── PortTakenError       another process listens on a port that Triton needs
└── TritonDiedError      tritonserver ended, or did not become ready in time
"""


class ServerError(Exception):
    """Base of all errors of this room; printed as one message, exit code 1."""


class PlatformError(ServerError):
    """The wheel that brings tritonserver exists for x86-64 Linux only."""


class InstallationError(ServerError):
    """The interpreter or its packages cannot host Triton's Python stub."""


class RepositoryError(ServerError):
    """The model repository is not one that can be served."""


class ExposedError(ServerError):
    """The wheel's Triton may listen on the loopback address only."""


class PortTakenError(ServerError):
    """A port is in use already."""


class TritonDiedError(ServerError):
    """tritonserver ended by itself or never became ready."""
