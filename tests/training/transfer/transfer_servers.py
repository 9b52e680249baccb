"""Real servers, each in a process of its own on the loopback interface."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import httpx2
import pytest
from processes import free_ports, wait_until


@dataclass
class FileServer:
    """A web server and the folder that it serves."""

    url: str
    root: Path

    @property
    def requests(self) -> list[str]:
        """Lines `METHOD PATH OFFSET-OR-LENGTH` of what it served."""
        return self.root.with_suffix(".log").read_text().splitlines()


@contextmanager
def serving(script: str, root: Path) -> Iterator[FileServer]:
    """Run a server of this folder in a process of its own."""
    root.mkdir()
    command = [sys.executable, Path(__file__).with_name(script), root]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield FileServer(f"http://127.0.0.1:{int(process.stdout.readline())}", root)
        process.kill()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[FileServer]:
    """A web server with an empty folder."""
    with serving("file_server.py", tmp_path / "served") as server:
        yield server


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Endpoint of an S3 server with the bucket `members`."""
    (port,) = free_ports(1)
    url, log = f"http://127.0.0.1:{port}", tmp_path_factory.mktemp("moto") / "log"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with log.open("wb") as opened, subprocess.Popen(command, stdout=opened, stderr=opened) as process:

        def answers() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                return httpx2.get(f"{url}/moto-api/data.json", timeout=2).is_success
            except httpx2.TransportError:
                return False

        wait_until(answers, 60, "moto answers")
        client(url).create_bucket(Bucket="members")
        yield url
        process.kill()


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same server, as the environment tells it to boto3; its credentials are `somebody` and `hidden-word`."""
    nothing = tmp_path_factory.mktemp("aws") / "config"  # DVC wants a file
    nothing.touch()
    for name, value in (
        ("AWS_ENDPOINT_URL", s3),
        ("AWS_ACCESS_KEY_ID", "somebody"),
        ("AWS_SECRET_ACCESS_KEY", "hidden-word"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_CONFIG_FILE", str(nothing)),
        ("AWS_SHARED_CREDENTIALS_FILE", str(nothing)),
    ):
        monkeypatch.setenv(name, value)
    return s3


def client(url: str):  # type: ignore[no-untyped-def]
    """boto3's client of the server at `url`."""
    return boto3.client(
        "s3", endpoint_url=url, aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"
    )
