"""The workflows' scripts, run with programs that only say what they were asked: make and compose would understand it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from processes import ROOT

from deploy.linting.compose import configuration

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
GIVEN = {
    "DATA": "photos",
    "MEMBERS": "one=demo_cnn two=demo_narrow",
    "DIRECTORY": "/srv/leaf",
    "RELEASE": "10",
    "NAME": "gateway",
    "GITHUB_REPOSITORY": "Somebody/Leaf",
    "GITHUB_REF_NAME": "v1.2.3",
    "GITHUB_RUN_ID": "7",
    "GITHUB_SHA": "abc",
    "GITHUB_ACTOR": "somebody",
    "TOKEN": "secret",
}
RECORDER = (
    '#!/bin/sh\ncat > /dev/null\n{ echo "$(basename "$0")"; for word; do echo "$word"; done; echo; } >> "$SAID"\n'
)


def calls(workflow: str, folder: Path) -> list[list[str]]:
    """What all scripts of a workflow ask of make and docker, in order; `folder` has releases 2 and 10."""
    for number in (2, 10):
        (folder / "models" / f"leaf_ensemble_{number}").mkdir(parents=True)
    for name in ("make", "docker", "sudo"):
        (folder / name).write_text(RECORDER)
        (folder / name).chmod(0o755)
    said = folder / "said"
    said.touch()
    environment = GIVEN | {"PATH": f"{folder}:/usr/bin:/bin", "SAID": str(said), "GITHUB_OUTPUT": str(folder / "out")}
    environment["MODEL_REPOSITORY"] = str(folder / "models")
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / f"{workflow}.yml").read_text(encoding="utf-8"))["jobs"]
    for job in jobs.values():
        for step in job["steps"]:
            if "run" in step:
                command = ["bash", "-euo", "pipefail", "-c", step["run"]]
                done = subprocess.run(
                    command,
                    cwd=folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    timeout=20,
                    check=False,
                )
                assert done.returncode == 0, f"{step['name']}: {done.stderr}"
    return [call.splitlines() for call in said.read_text().split("\n\n") if call]


@pytest.mark.parametrize("workflow", [file.stem for file in WORKFLOWS])
def test_make_would_begin_with_what_it_is_told(workflow: str, tmp_path: Path) -> None:
    asked = [words[1:] for words in calls(workflow, tmp_path) if words[0] == "make"]
    assert asked
    for words in asked:
        variables = [word.partition("=")[0] for word in words if "=" in word]
        assert [name for name in variables if not re.search(rf"\$\({name}\)", MAKEFILE)] == [], words
        command = ["make", "--dry-run", "--no-print-directory", f"PYTHON={sys.executable}", *words]
        ended = subprocess.run(
            command, cwd=ROOT, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=60, check=False
        )
        assert ended.returncode == 0, ended.stderr


def test_what_is_trained_is_exported_and_promoted(tmp_path: Path) -> None:
    asked = calls("train", tmp_path)
    trained = [words for words in asked if words[:2] == ["make", "train"]]
    assert trained == [
        ["make", "train", f"CONFIG={preset}", "DATA=photos", f"OUT=build/train-7/{name}"]
        for name, preset in (("one", "demo_cnn"), ("two", "demo_narrow"))
    ]
    (exported,) = [words for words in asked if words[:2] == ["make", "export"]]
    assert "MEMBERS= build/train-7/one build/train-7/two" in exported
    assert (tmp_path / "out").read_text() == "release=10\n"
    assert asked[-1][-5:] == ["-m", "gateway", "release", "promote", "10"]
    assert asked[-1][5:7] == ["-T", "gateway"]


def test_the_presets_of_a_run_by_hand_are_there() -> None:
    text = (ROOT / ".github" / "workflows" / "train.yml").read_text(encoding="utf-8")
    members = yaml.safe_load(text)[True]["workflow_dispatch"]["inputs"]["members"]["default"]
    for member in members.split():
        assert (ROOT / "training" / "presets" / f"{member.partition('=')[2]}.yaml").exists(), member


def test_a_machine_with_a_gpu_gets_plans_before_it_tries_a_candidate(tmp_path: Path) -> None:
    (asked,) = calls("retrain", tmp_path)
    assert "PLANS=make env plans" in asked


def test_images_are_published_by_the_names_that_the_chart_asks_for(tmp_path: Path) -> None:
    published = [words[words.index("--tag") + 1] for words in calls("ship", tmp_path) if "--push" in words]
    assert published == ["ghcr.io/somebody/leaf/leaf-gateway:1.2.3"]
    built = {service["image"] for service in configuration(("cpu", "gpu", "bot", "track"))["services"].values()}
    assert "leaf-gateway:local" in built
