"""A real PostgreSQL for the tests: a throw-away cluster from the system's binaries, run by an unprivileged user."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg
import pytest
from processes import free_ports

_ROOM_BYTES = 6 * 2**30


def find_binaries() -> Path | None:
    """The folder of the newest `initdb` on this machine; None without a PostgreSQL server."""
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    if on_path := shutil.which("initdb"):
        candidates.append(Path(on_path).resolve().parent)
    return next((path for path in reversed(candidates) if (path / "initdb").exists()), None)


def _unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root; None where the tests are not root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _quick_folder() -> Path | None:
    """A folder in memory where this machine has plenty of it: each database is 300 files, and each test has its own."""
    shared = Path("/dev/shm")
    has_room = os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > _ROOM_BYTES
    return shared if has_room else None


@dataclass
class PostgresCluster:
    """A cluster on 127.0.0.1 that can be stopped and started again on the same port."""

    folder: Path
    port: int
    binaries: Path
    user: str | None
    _numbers: Iterator[int] = field(default_factory=count)

    def _run(self, program: str, *arguments: str) -> None:
        result = subprocess.run(
            [self.binaries / program, *arguments],
            user=self.user,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},  # without PG... variables of whoever runs the tests
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert result.returncode == 0, f"{program}: {result.stdout}"

    def create(self) -> None:
        """Make the cluster; its superuser is `leaf`, without a password."""
        self._run("initdb", "-D", str(self.folder / "data"), "-U", "leaf", "--auth=trust", "--encoding=UTF8", "-N")

    def start(self) -> None:
        """Start and wait until it answers."""
        # Nobody needs these tables after a power cut. A time zone far from UTC shows whoever forgets about it.
        options = f"-p {self.port} -h 127.0.0.1 -k {self.folder} -c fsync=off -c timezone=Asia/Kolkata"
        options += " -c max_wal_size=128MB -c min_wal_size=32MB"
        log = str(self.folder / "log")
        self._run("pg_ctl", "start", "-w", "-D", str(self.folder / "data"), "-l", log, "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """Stop at once and cut all connections, as a restart of the machine would."""
        self._run("pg_ctl", "stop", "-w", "-m", mode, "-D", str(self.folder / "data"))

    def new_database(self, template: str | None = None) -> str:
        """The URL of an empty database, or of a copy of `template`, which nobody may be connected to."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="leaf", dbname="postgres", autocommit=True, connect_timeout=5
        ) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template1'}")
        return f"postgresql://leaf@127.0.0.1:{self.port}/{name}"


@contextlib.contextmanager
def running_postgres() -> Iterator[PostgresCluster]:
    """A started cluster, removed at the end; skips the test where the machine has no PostgreSQL server."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("needs PostgreSQL's server programs (apt-get install postgresql)")
    user = _unprivileged_user()
    folder = Path(
        tempfile.mkdtemp(prefix="leaf-postgres-", dir=_quick_folder())
    )  # short: a socket's path has little room
    if user is not None:
        shutil.chown(folder, user)
    cluster = PostgresCluster(folder, free_ports(1)[0], binaries, user)
    try:
        cluster.create()
        cluster.start()
        yield cluster
    finally:
        with contextlib.suppress(AssertionError):  # a test may have stopped it
            cluster.stop("immediate")  # nobody needs it any more
        shutil.rmtree(folder, ignore_errors=True)
