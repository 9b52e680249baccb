"""Runs what a container would run, without an engine: the same command, user, environment, names, ports and file system.

Each runs in a root of its own: the machine's /usr and friends read-only, the image's files at their places, /tmp and the
volumes as docker-compose.yml names them, nothing else to be written. All share a network of their own, in which the services'
names lead to 127.0.0.1. Needs root and Linux namespaces.
"""

import ctypes
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from dockerfiles import Image
from processes import ROOT, wait_until

Answer = TypeVar("Answer")
CLONE_NEWNET = 0x40000000
END_S = 120
ANSWER_S = 300
PROGRAMS = ("unshare", "nsenter", "setpriv", "ip")
DOCKER_TMPFS = "noexec,nosuid,nodev"
"""What Docker mounts it with, unless the options that follow say otherwise."""
SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "etc")
"""What a base image brings; here the machine's own."""


@dataclass
class Network:
    """A network namespace with a loopback interface."""

    holder: int
    _inside: ThreadPoolExecutor

    def call(self, function: Callable[..., Answer], *arguments: Any, **options: Any) -> Answer:
        """Call `function` from within."""
        return self._inside.submit(function, *arguments, **options).result()


def _enter(pid: int) -> None:
    with Path(f"/proc/{pid}/ns/net").open() as namespace:
        assert ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) == 0


@contextmanager
def private_network() -> Iterator[Network]:
    """A network that only this test's processes share; skips the test where none can be made."""
    if os.geteuid() != 0 or not all(map(shutil.which, PROGRAMS)):
        pytest.skip(f"needs root and {', '.join(PROGRAMS)} (util-linux, iproute2)")
    if subprocess.run(["unshare", "--mount", "--net", "true"], check=False).returncode:
        pytest.skip("needs Linux namespaces, which this machine does not let it make")
    with ExitStack() as stack:
        command = ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep infinity"]
        holder = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
        stack.callback(holder.kill)
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"up\n"
        inside = stack.enter_context(ThreadPoolExecutor(1, initializer=_enter, initargs=(holder.pid,)))
        yield Network(holder.pid, inside)


@dataclass
class Container:
    """One service; `folder` is where its root is put together."""

    name: str
    folder: Path
    network: Network
    image: Image
    environment: dict[str, str]
    command: list[str]
    user: str
    binds: dict[str, Path]
    """Place in the container to what lies there; writable."""
    read_only: dict[str, Path] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    """Names that lead to this machine."""
    tmpfs: dict[str, str] = field(default_factory=dict)
    """Place to mount options."""
    process: subprocess.Popen[bytes] | None = None

    def _script(self, command: list[str]) -> str:
        """What puts the root together and becomes the command; without one, the shell's own arguments."""
        root = shlex.quote(str(self.folder / "root"))
        hosts = self.folder / "hosts"
        hosts.write_text("127.0.0.1 localhost " + " ".join(self.names) + "\n")
        lines = ["set -e", f"mkdir -p {root}", f"mount -t tmpfs -o mode=755 tmpfs {root}"]

        def bind(source: Path, place: str, writable: bool) -> None:
            where = shlex.quote(f"{self.folder}/root/{place.strip('/')}")
            make = f"mkdir -p {where}" if source.is_dir() else f"mkdir -p $(dirname {where}) && touch {where}"
            lines.append(f"{make} && mount --rbind {shlex.quote(str(source))} {where}")
            if not writable:
                lines.append(f"mount -o remount,bind,ro {where}")

        for name in SYSTEM:
            source = Path("/", name)
            if source.is_symlink():
                lines.append(f"ln -s {source.readlink()} {root}/{name}")
            elif source.is_dir():
                bind(source, name, writable=False)
        base = Path(sys.base_prefix)
        if base != Path("/usr"):
            bind(base, str(base), writable=False)
        for place, source in self.read_only.items():
            bind(source, place, writable=False)
        lines.append(f"mount --bind {shlex.quote(str(hosts))} {root}/etc/hosts")
        lines += [f"mkdir {root}/dev {root}/proc", f"mount --rbind /dev {root}/dev", f"mount --rbind /proc {root}/proc"]
        for place, options in self.tmpfs.items():
            lines += [f"mkdir -p {root}{place}", f"mount -t tmpfs -o {DOCKER_TMPFS},{options} tmpfs {root}{place}"]
        for place, source in self.binds.items():
            bind(source, place, writable=True)
        user, _, group = self.user.partition(":")
        environment = " ".join(shlex.quote(f"{name}={value}") for name, value in self.environment.items())
        # a file is made read-only by its mount: the root last
        lines.append(f"mount -o remount,ro {root}")
        lines.append(
            f"exec chroot {root} setpriv --reuid {user} --regid {group or user} --clear-groups --no-new-privs "
            f"--bounding-set=-all --inh-caps=-all env -i -C {shlex.quote(self.image.workdir)} {environment} "
            + (shlex.join(command) or '"$@"')
        )
        return "\n".join(lines)

    def _arguments(self, command: list[str]) -> list[str]:
        enter = [
            "nsenter",
            f"--net=/proc/{self.network.holder}/ns/net",
            "unshare",
            "--mount",
            "--propagation",
            "private",
        ]
        return [*enter, "sh", "-c", self._script(command)]

    def write_door(self, file: Path) -> None:
        """A shell script that runs its arguments in a container of this service, as `docker compose exec` does."""
        file.write_text(f'exec {shlex.join(self._arguments([]))} sh "$@"\n')

    @property
    def log(self) -> str:
        """What it has said."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> "Container":
        """Start its command."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            arguments = self._arguments(self.command)
            self.process = subprocess.Popen(arguments, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        return self

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end in a container of this service."""
        self.folder.mkdir(parents=True, exist_ok=True)
        kept, self.environment = self.environment, self.environment | environment
        try:
            arguments = self._arguments(list(command) or self.command)
        finally:
            self.environment = kept
        return subprocess.run(arguments, capture_output=True, text=True, timeout=ANSWER_S, check=False)

    def is_healthy(self) -> bool:
        """What its health check says."""
        assert self.process is not None
        assert self.process.poll() is None, f"{self.name} has ended: {self.log}"
        return self.run(*self.image.health).returncode == 0

    def wait_until_healthy(self, seconds: float = 90) -> None:
        """Wait for its health check."""
        wait_until(self.is_healthy, seconds, f"{self.name} is healthy")

    def stop(self, seconds: float = END_S) -> int:
        """As `docker stop`: its exit code after SIGTERM, -9 where it does not end in time."""
        assert self.process is not None
        self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            return self.process.wait(ANSWER_S)


def container(
    service: str,
    configuration: dict[str, Any],
    image: Image,
    folder: Path,
    network: Network,
    volumes: dict[str, Path],
    further: dict[str, Path],
) -> Container:
    """A service of docker-compose.yml on its image.

    Args:
        configuration: of the compose file, interpolated.
        volumes: named volumes and host folders of the file to folders of the test.
        further: what the image has that is not copied from the repository, such as /opt/venv.
    """
    described = configuration["services"][service]
    files = folder / service / "image"
    image.lay_out(files)
    binds: dict[str, Path] = {}
    read_only = {f"/{path.name}": path for path in files.iterdir()} | further if files.exists() else dict(further)
    for volume in described.get("volumes", []):
        source = volume["source"]
        where = read_only if volume.get("read_only") else binds
        where[volume["target"]] = volumes[source] if source in volumes else ROOT / source
    names = {name for other in configuration["services"] for name in (other, "triton")}
    return Container(
        name=service,
        folder=folder / service,
        network=network,
        image=image,
        environment={"PATH": os.defpath} | image.environment | described.get("environment", {}),
        command=[*_told(described["entrypoint"], image.entrypoint), *_told(described["command"], image.command)],
        user=described.get("user", image.user),
        binds=binds,
        read_only=read_only,
        names=tuple(sorted(names)),
        tmpfs=dict(mount.split(":") for mount in described["tmpfs"]),
    )


def _told(words: list[str] | None, by_image: list[str]) -> list[str]:
    """What the file says, none at all included, else the image's own."""
    return by_image if words is None else words
