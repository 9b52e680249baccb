"""Make sure the shared libpython is there, which Triton's Python stub loads; run by `make system`, standard library only.

Debian and Ubuntu package it apart from the interpreter. As root there, it is installed; elsewhere nothing is done,
and `python -m server` says what to do when it is missing.
"""

import ctypes
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
LIBRARY = f"libpython{VERSION}.so.1.0"


def present() -> bool:
    """Whether the loader or this interpreter's own folder has the library."""
    folders = (sysconfig.get_config_var("LIBDIR") or "", str(Path(sys.base_prefix) / "lib"))
    if any((Path(folder) / LIBRARY).is_file() for folder in folders if folder):
        return True
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return False
    return True


def main() -> int:
    """Install the package where that is possible without asking anybody."""
    apt = shutil.which("apt-get")
    if present() or apt is None or os.geteuid() != 0:
        return 0
    sys.stderr.write(f"installing libpython{VERSION}, which Triton's Python stub needs\n")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", f"libpython{VERSION}"]):
        subprocess.run([apt, "--quiet", *arguments], env=env, stdout=subprocess.DEVNULL, check=False, timeout=300)
    return 0


if __name__ == "__main__":
    sys.exit(main())
