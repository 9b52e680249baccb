"""The acceptance's course, on the CPU's stack, with a compose client that knows the containers of these tests."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from container_stack import prepared_stack
from processes import ROOT, wait_until

from deploy.acceptance.figures import busy_share

CLIENT = """#!/bin/sh
# docker compose, as far as the acceptance uses it
while [ "${1#--}" != "$1" ]; do shift 2; done
case "$1" in
    up) touch "$FOLDER/up"; until [ -e "$FOLDER/started" ]; do sleep 0.1; done ;;
    exec) shift 2; service="$1"; shift; exec sh "$FOLDER/$service.sh" "$@" ;;
    version | images) echo "a client of these tests" ;;
    down) touch "$FOLDER/down" ;;
    *) echo "unknown: $*" >&2; exit 1 ;;
esac
"""


@pytest.mark.long
def test_the_course_on_the_stack_of_the_cpu(tmp_path: Path) -> None:
    overlay = ("deploy/acceptance/compose.yml",)
    (tmp_path / "client").write_text(CLIENT.replace("$FOLDER", str(tmp_path)))
    (tmp_path / "client").chmod(0o755)
    with prepared_stack(overlay) as stack:
        work = stack.folder / "acceptance"
        command = ["nsenter", f"--net=/proc/{stack.network.holder}/ns/net", sys.executable, "-m", "deploy.acceptance"]
        command += ["--compose", str(tmp_path / "client"), "--profile", "cpu", "--port", "8080", "--work", str(work)]
        command += ["--repository", str(ROOT / "demo" / "model_repository"), "--seconds", "3", "--clients", "1", "4"]
        command += ["--others", "1", "--switches", "4"]  # two busy cores are no GPU
        with (
            (tmp_path / "log").open("wb") as log,
            subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log) as course,
        ):
            wait_until(
                lambda: (tmp_path / "up").exists() or course.poll() is not None, 30, "the course starts the stack"
            )
            stack.volumes["./build/served"] = work / "models"
            stack.serve()
            stack.services["gateway"].write_door(tmp_path / "gateway.sh")
            (tmp_path / "started").touch()
            code = course.wait(400)
        said = (tmp_path / "log").read_text()
        report = json.loads((work / "report.json").read_text())
        page = (work / "report.md").read_text()
        logs = "\n".join(service.log for service in stack.services.values() if service.process)
    assert code == 0, f"{said}\n{logs}"
    names = [check["name"] for check in report["checks"]]
    measured = ["throughput, 1 clients", "throughput, 4 clients"]
    assert names == ["start", "answers", "bad images", "batches", "switches", *measured]
    switched = report["checks"][4]["text"]
    assert " 0 failed" in switched
    assert "1:" in switched
    assert "2:" in switched
    assert "resnet18_narrow" in report["checks"][-1]["text"], "Triton's counters are read"
    assert (tmp_path / "down").exists()
    assert page.startswith("# Acceptance, profile cpu: passed\n")


def test_engines_are_busy_by_their_batches() -> None:
    def metrics(requests: int, executions: int, spent_us: int) -> str:
        label = '{model="vit",version="1"}'
        values = {"request_success": requests, "exec_count": executions, "compute_infer_duration_us": spent_us}
        return "\n".join(f"nv_inference_{name}{label} {value}" for name, value in values.items())

    # 80 requests in 10 batches of 50 ms: each request counts its batch's 50 ms
    shares = busy_share(metrics(20, 5, 10), metrics(100, 15, 10 + 80 * 50_000), seconds=1.0)
    assert shares == {"vit": pytest.approx(0.5)}


def test_what_goes_wrong_is_in_the_report(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "deploy.acceptance", "--compose", "false", "--work", str(tmp_path)]
    command += ["--repository", str(ROOT / "demo" / "model_repository")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    text = (tmp_path / "report.md").read_text()
    assert text.startswith("# Acceptance, profile gpu: NOT passed")
    assert "compose run --rm --build plans ended with status 1" in text
