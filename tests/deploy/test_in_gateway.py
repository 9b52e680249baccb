"""deploy/in_gateway.sh: retraining's commands in the gateway's container, with what they write here."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from processes import ROOT

from deploy.linting.compose import configuration


@pytest.mark.parametrize("elsewhere", [False, True])
def test_commands_run_in_the_stacks_gateway(elsewhere: bool, tmp_path: Path) -> None:
    checkout, binaries = tmp_path / "checkout", tmp_path / "bin"
    (checkout / "deploy").mkdir(parents=True)
    binaries.mkdir()
    script = shutil.copy(ROOT / "deploy" / "in_gateway.sh", checkout / "deploy")
    (binaries / "docker").write_text('#!/bin/sh\nfor word; do echo "$word"; done\nexit 3\n')
    (binaries / "docker").chmod(0o755)
    environment = {"PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}", "LEAF_UID": str(os.getuid() or 10001)}
    if elsewhere:
        environment["STACK_DIRECTORY"] = "/srv/leaf"
    command = [script, "-m", "gateway", "export-feedback", "--out", "a b"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 3, "what the command says is passed on"
    directory = "/srv/leaf" if elsewhere else str(checkout)
    assert done.stdout.splitlines() == [
        *("compose", "--project-directory", directory, "run", "--rm", "--no-deps", "-T"),
        *("--volume", f"{checkout}/build:{checkout}/build", "gateway", "python"),
        *("-m", "gateway", "export-feedback", "--out", "a b"),
    ]
    assert (checkout / "build" / "retrain").stat().st_uid == int(environment["LEAF_UID"])


def test_the_service_that_it_names_is_there() -> None:
    assert "gateway" in configuration(("cpu",))["services"]
