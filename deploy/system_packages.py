"""The few system packages that pip cannot bring; run by the Makefile with a purpose, standard library only.

    python deploy/system_packages.py serve    libpython, which Triton's Python stub loads
    python deploy/system_packages.py test     Chromium, PostgreSQL, Redis, Prometheus, Alertmanager: some tests run them for real

As root on Debian or Ubuntu what is missing is installed. Elsewhere nothing is done: `python -m server` says what to do
without libpython, and those tests skip, saying so.
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
TEST_PROGRAMS = {
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "postgresql": ("postgres", "/usr/lib/postgresql/*/bin/postgres"),
    "redis-server": ("redis-server",),
    "prometheus": ("promtool",),
    "prometheus-alertmanager": ("amtool",),
}
"""Package by the programs, any of which makes it unnecessary."""


def has_libpython() -> bool:
    """Whether the loader or this interpreter's own folder has the library."""
    folders = (sysconfig.get_config_var("LIBDIR") or "", str(Path(sys.base_prefix) / "lib"))
    if any((Path(folder) / LIBRARY).is_file() for folder in folders if folder):
        return True
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return False
    return True


def has_program(name: str) -> bool:
    """Whether a program is on the path, or a pattern of absolute paths matches one."""
    if name.startswith("/"):
        return any(Path("/").glob(name[1:]))
    return shutil.which(name) is not None


def missing(purpose: str) -> list[str]:
    """Names of the packages that `purpose` (`serve` or `test`) needs and this machine lacks."""
    if purpose == "serve":
        return [] if has_libpython() else [f"libpython{VERSION}"]
    return [package for package, programs in TEST_PROGRAMS.items() if not any(map(has_program, programs))]


def main(purpose: str) -> int:
    """Install what is missing where that is possible without asking anybody."""
    packages = missing(purpose)
    apt = shutil.which("apt-get")
    if not packages or apt is None or os.geteuid() != 0:
        return 0
    sys.stderr.write(f"installing {', '.join(packages)} with apt-get\n")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        subprocess.run([apt, "--quiet", *arguments], env=env, stdout=subprocess.DEVNULL, check=False, timeout=600)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
