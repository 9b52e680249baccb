"""The stack of docker-compose.yml in containers without an engine: PostgreSQL, keys, Triton on the CPU, the gateway."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from containers import Container, Network, container, private_network
from dockerfiles import read_image
from postgres import find_binaries
from processes import ROOT, TRITON_PYTHON

from deploy.linting.compose import EXAMPLE, configuration

ENVIRONMENTS = TRITON_PYTHON.parents[2]
USER = 10001
BUNDLE = "pytriton/tritonserver"


@dataclass
class Stack:
    """Services that were started, and the folders that stand for their volumes."""

    folder: Path
    network: Network
    configuration: dict[str, Any]
    volumes: dict[str, Path]
    services: dict[str, Container] = field(default_factory=dict)

    def make(self, service: str, image: str, environment: str, **further: Path) -> Container:
        """A service whose packages are those of .venv/`environment`."""
        packages = {"/opt/venv": (ENVIRONMENTS / environment).resolve()} | {
            f"/opt/{name}": path for name, path in further.items()
        }
        made = container(
            service, self.configuration, read_image(image), self.folder, self.network, self.volumes, packages
        )
        self.services[service] = made
        return made

    def serve(self) -> None:
        """Start Triton and the gateway, and wait until they are healthy."""
        triton = self.make(
            "triton-cpu", "triton-cpu", "triton", tritonserver=lay_out_triton(self.folder / "tritonserver")
        )
        triton.environment["LD_LIBRARY_PATH"] = "/opt/tritonserver/lib"  # the stock image's own
        triton.start()
        gateway = self.make("gateway", "gateway", "gateway").start()
        triton.wait_until_healthy()
        gateway.wait_until_healthy()

    def stop(self) -> None:
        """End what still runs, the last one first."""
        for service in reversed(self.services.values()):
            if service.process is not None and service.process.poll() is None:
                service.stop()


def lay_out_triton(folder: Path) -> Path:
    """/opt/tritonserver as NVIDIA's image has it, from the wheel's parts."""
    site = next(ENVIRONMENTS.glob("triton/lib/python3.*/site-packages"))
    python = f"{site.parent.name.removeprefix('python')}"
    (folder / "bin").mkdir(parents=True)
    shutil.copyfile(site / BUNDLE / "bin" / "tritonserver", folder / "bin" / "tritonserver")
    shutil.copytree(site / BUNDLE / "backends", folder / "backends")
    shutil.copy(
        site / BUNDLE / "python_backend_stubs" / python / "triton_python_backend_stub", folder / "backends/python"
    )
    for file in (folder / "bin" / "tritonserver", folder / "backends/python/triton_python_backend_stub"):
        file.chmod(0o755)
    shutil.copytree(site / "nvidia_pytriton.libs", folder / "lib")
    return folder


def own(path: Path, user: int) -> Path:
    """Make it and all below belong to a container's user."""
    path.mkdir(parents=True, exist_ok=True)
    for one in (path, *path.rglob("*")):
        os.chown(one, user, user)
    return path


@contextmanager
def running_database(folder: Path, network: Network, environment: dict[str, str]) -> Iterator[None]:
    """What PostgreSQL's image does: a cluster of its own, roles.sh, then TCP on 5432 for whoever has a password."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("needs PostgreSQL's server programs (apt-get install postgresql)")
    shutil.chown(folder, "postgres")
    inside = ["nsenter", f"--net=/proc/{network.holder}/ns/net"]
    data = str(folder / "data")

    def run(*command: str, **variables: str) -> None:
        subprocess.run(
            [*inside, "setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", *command],
            env={"PATH": f"{binaries}:{os.defpath}", "LC_ALL": "C.UTF-8", "PGHOST": str(folder), **variables},
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=60,
        )

    (folder / "password").write_text(environment["POSTGRES_PASSWORD"])
    (folder / "password").chmod(0o644)
    run("initdb", "-D", data, "-U", "postgres", "--auth-host=scram-sha-256", "--auth-local=trust",
        f"--pwfile={folder / 'password'}", "-N")  # fmt: skip
    run("pg_ctl", "start", "-w", "-D", data, "-l", str(folder / "log"), "-o", f"-k {folder} -c fsync=off")
    try:
        run(str(ROOT / "deploy" / "postgres" / "roles.sh"), **environment)
        yield
    finally:
        run("pg_ctl", "stop", "-w", "-m", "fast", "-D", data)


@contextmanager
def prepared_stack(overlay: tuple[str, ...] = (), **environment: str) -> Iterator[Stack]:
    """PostgreSQL and the first key; Triton and the gateway are for the caller to start."""
    with ExitStack() as stack:
        # not pytest's folder, which other users may not pass through
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leaf-stack-")))
        folder.chmod(0o755)
        network = stack.enter_context(private_network())
        described = configuration(("cpu", "bot", "track", "observe"), EXAMPLE | environment, overlay)
        repository = folder / "models"
        shutil.copytree(ROOT / "demo" / "model_repository", repository)
        volumes = {"./build/served": own(repository, USER)}
        volumes |= {
            name: own(folder / "volumes" / name, USER)
            for name in ("gateway-state", "bot-state", "keys", "mlflow-artifacts")
        }
        (folder / "postgres").mkdir()
        database = described["services"]["postgres"]["environment"]
        stack.enter_context(running_database(folder / "postgres", network, database))
        made = Stack(folder, network, described, volumes)
        stack.callback(made.stop)
        keys = made.make("keys", "gateway", "gateway").run()
        assert keys.returncode == 0, keys.stderr
        yield made


@contextmanager
def running_stack(**environment: str) -> Iterator[Stack]:
    """PostgreSQL, keys, Triton and the gateway, healthy; further services are for the caller to start."""
    with prepared_stack(**environment) as stack:
        stack.serve()
        yield stack


def bot_key(stack: Stack) -> str:
    """The key that the first start made."""
    key = (stack.volumes["keys"] / "gateway-key").read_text().strip()
    assert re.fullmatch(r"leaf_[0-9a-f]{8}_\S{43}", key)
    return key
