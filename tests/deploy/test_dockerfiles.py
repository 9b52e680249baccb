"""The images: what they hold is enough for what they run, nobody is root, nothing else comes along."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from dockerfiles import IMAGES, is_ignored, read_image
from processes import ROOT

BUILT = {
    "gateway": ("", ["requirements/gateway.txt"]),
    "bot": ("", ["requirements/bot.txt"]),
    "mlflow": ("", ["requirements/mlflow.txt"]),
    "triton-cpu": ("", ["requirements/server-container.txt"]),
    "exporter": ("", ["requirements/export.txt"]),
    "exporter plans": ("plans", []),
}
"""Dockerfile and target to the locks that are installed."""
MODULES = {
    "gateway": ("gateway", "deploy.first_keys", "deploy.health"),
    "bot": ("bot", "deploy.health"),
    "mlflow": ("deploy.health",),
    "triton-cpu": ("deploy.triton", "server", "deploy.health"),
    "exporter": ("export", "deploy.plans"),
    "exporter plans": ("deploy.plans", "export"),
}


def test_every_dockerfile_is_here() -> None:
    assert {file.name.removesuffix(".Dockerfile") for file in IMAGES.iterdir()} == {name.split()[0] for name in BUILT}


@pytest.mark.parametrize("name", BUILT)
def test_it_has_its_own_packages_and_no_root(name: str) -> None:
    target, packages = BUILT[name]
    image = read_image(name.split()[0], target)
    assert image.packages == packages
    user, _, group = image.user.partition(":")
    assert int(user) > 0
    assert group == user
    assert image.environment["PYTHONDONTWRITEBYTECODE"] == "1", "its file system is read-only"


@pytest.mark.parametrize("name", [name for name in BUILT if not name.startswith("exporter")])
def test_what_goes_on_running_has_a_health_check(name: str) -> None:
    assert read_image(name).health[:3] == ["python", "-m", "deploy.health"]


@pytest.mark.parametrize(("name", "module"), [(name, module) for name in BUILT for module in MODULES[name]])
def test_what_is_copied_is_enough(name: str, module: str, tmp_path: Path) -> None:
    read_image(name.split()[0], BUILT[name][0]).lay_out(tmp_path)
    command = [sys.executable, "-m", module, "--help"]
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    said = subprocess.run(
        command, cwd=tmp_path / "app", env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert (said.returncode, said.stderr) == (0, "")


def test_the_build_argument_names_the_user() -> None:
    assert read_image("gateway", UID="1234").user == "1234:1234"


@pytest.mark.parametrize(
    "path", [".env", "backups", "build", "model_repository", "demo", "state", "gateway.env", ".git"]
)
def test_secrets_and_data_stay_out_of_images(path: str) -> None:
    assert is_ignored(path)
    assert not is_ignored("gateway")
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"
