"""Finds tritonserver, in the `nvidia-pytriton` wheel or in NVIDIA's container, and what its Python stub needs to run."""

import ctypes
import importlib.metadata
import os
import platform
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from server.errors import InstallationError, PlatformError

INSTALL_HINT = "install it with `make install-server`"


@dataclass(frozen=True)
class TritonInstallation:
    """Paths: the binary, the Python backend's library, the stub of this Python, and the wheel's shared libraries."""

    binary: Path
    python_backend: Path
    stub: Path
    libraries: Path | None


def find_installation(folder: Path | None = None) -> TritonInstallation:
    """Locate tritonserver in `folder`, laid out as /opt/tritonserver of the container, or beside this interpreter's packages.

    Raises:
        PlatformError: not x86-64 Linux.
        InstallationError: it is not there, or has no stub for this Python version.
    """
    if folder is not None:
        return _container_installation(folder)
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise PlatformError(
            f"tritonserver comes as a wheel for x86-64 Linux only; this is {platform.machine()} {sys.platform}. "
            "Run on such a machine or in the Triton container (docs/architecture.md)."
        )
    site = Path(sysconfig.get_path("purelib"))
    bundle = site / "pytriton" / "tritonserver"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    installation = TritonInstallation(
        binary=bundle / "bin" / "tritonserver",
        python_backend=bundle / "backends" / "python",
        stub=bundle / "python_backend_stubs" / version / "triton_python_backend_stub",
        libraries=site / "nvidia_pytriton.libs",
    )
    if not installation.binary.is_file():
        raise InstallationError(f"tritonserver is not installed in {sys.prefix}: {INSTALL_HINT}.")
    if not installation.stub.is_file():
        raise InstallationError(f"Triton has no Python stub for Python {version}: use Python 3.11 or 3.12.")
    return installation


def _container_installation(folder: Path) -> TritonInstallation:
    python = folder / "backends" / "python"
    found = TritonInstallation(folder / "bin" / "tritonserver", python, python / "triton_python_backend_stub", None)
    for file in (found.binary, found.stub):
        if not file.is_file():
            raise InstallationError(f"{file} is missing: name the folder of a Triton with its Python backend.")
    return found


def check_numpy() -> None:
    """Refuse numpy 2: Triton's stub then reads wrong values without any error.

    Raises:
        InstallationError: numpy is missing, or is 2 or newer.
    """
    try:
        version = importlib.metadata.version("numpy")
    except importlib.metadata.PackageNotFoundError:
        raise InstallationError(f"numpy is not installed in {sys.prefix}: {INSTALL_HINT}.") from None
    if int(version.split(".")[0]) >= 2:
        raise InstallationError(
            f"numpy {version} is installed, but Triton's Python stub reads arrays of numpy 2 wrongly and silently. "
            "Use the environment of requirements/server.txt (numpy < 2): `make install-server`."
        )


def find_libpython() -> Path | None:
    """The folder that holds this interpreter's shared libpython, or None where the system's loader finds it.

    Raises:
        InstallationError: there is no shared libpython for this Python version.
    """
    name = f"libpython{sys.version_info.major}.{sys.version_info.minor}.so.1.0"
    for folder in (sysconfig.get_config_var("LIBDIR"), str(Path(sys.base_prefix) / "lib")):
        if folder and (Path(folder) / name).is_file():
            return Path(folder)
    try:
        ctypes.CDLL(name)
    except OSError:
        package = f"libpython{sys.version_info.major}.{sys.version_info.minor}"
        raise InstallationError(
            f"{name} was not found, and Triton's Python stub needs it. On Debian and Ubuntu: `apt-get install {package}` "
            "(or `make system` as root); with pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared."
        ) from None
    return None


def triton_environment(installation: TritonInstallation) -> dict[str, str]:
    """The process environment for tritonserver and its stubs.

    The stub ignores PYTHONPATH; it finds packages through the `bin` of the virtual environment, first on PATH.
    """
    libraries = [str(installation.libraries)] if installation.libraries else []
    libpython = find_libpython()
    if libpython is not None:
        libraries.append(str(libpython))
    if inherited := os.environ.get("LD_LIBRARY_PATH"):
        libraries.append(inherited)
    binaries = [str(Path(sys.prefix) / "bin"), os.environ.get("PATH", os.defpath)]
    return {
        **os.environ,
        "PATH": os.pathsep.join(binaries),
        "LD_LIBRARY_PATH": os.pathsep.join(libraries),
        "LEAF_ROOT": str(Path(__file__).resolve().parents[1]),  # where the stand-ins import this package from
    }


def assemble_backends(installation: TritonInstallation, folder: Path) -> Path:
    """Lay out a Triton backend directory: its own `python`, and our stand-ins under the production names.

    Triton looks for `libtriton_<name>.so` and, where there is none, for `<name>/model.py`.
    """
    # copies: Triton refuses a backend library behind a link that leads out of the directory
    python = shutil.copytree(installation.python_backend, folder / "python")
    stub = python / installation.stub.name
    shutil.copyfile(installation.stub, stub)
    stub.chmod(0o755)  # the wheel does not mark it executable
    for backend in (Path(__file__).parent / "backends").glob("*/model.py"):
        (folder / backend.parent.name).mkdir()
        shutil.copy(backend, folder / backend.parent.name)
    return folder


def binary_path(installation: TritonInstallation, folder: Path) -> Path:
    """The binary itself where it may be run, else a copy made executable in `folder`."""
    if os.access(installation.binary, os.X_OK):
        return installation.binary
    copy = Path(shutil.copy(installation.binary, folder))
    copy.chmod(0o755)
    return copy
