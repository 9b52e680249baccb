"""A release served aside: nothing of it outlives an export, and what does not answer is no release."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from processes import ROOT, descendants, wait_until

from export import draft
from export.configuration import StepNames
from export.errors import GateError
from export.leaf_drawing import draw_leaf
from export.members import read_member
from export.options import ReleaseOptions

SERVE = (
    "import sys; from pathlib import Path; from export import served\n"
    "with served.serving(Path(sys.argv[1]), 1, Path(sys.argv[2])): pass"
)


def test_a_killed_export_leaves_no_triton_behind(tmp_path: Path) -> None:
    triton = tmp_path / "python"
    triton.write_text("#!/bin/sh\nexec sleep 120\n")
    triton.chmod(0o755)
    exporting = subprocess.Popen([sys.executable, "-c", SERVE, tmp_path, triton], cwd=ROOT)
    try:
        wait_until(lambda: bool(descendants(exporting.pid)), 60, "it starts Triton")
        pids = descendants(exporting.pid)
        exporting.kill()
        exporting.wait(20)
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 10, "Triton has ended")
    finally:
        exporting.kill()
        exporting.wait()


def test_a_member_that_answers_no_number_is_no_release(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(_photo: bytes, outputs: Sequence[str], count: int = 1) -> dict[str, np.ndarray]:
        return {name: np.full(5, np.nan if name == "answer_small_vit" else 0.2, np.float32) for name in outputs}

    @contextlib.contextmanager
    def serving(*_: object) -> Iterator[object]:
        yield ask

    monkeypatch.setattr(draft.served, "serving", serving)
    members = [read_member(trained / name) for name in ("small_cnn", "small_vit")]
    options = ReleaseOptions(triton_python=tmp_path, gates={"served_parity": 1.0}, latency_seconds=0)
    release = draft.Draft(tmp_path, 1, members, [draw_leaf(0, 90, 70)], options, lambda _: None)
    release.expected = [np.full((1, 5), 0.2, np.float32)] * 2
    release.probes = []
    with pytest.raises(GateError, match="served_parity is closed: nan"):
        release.prove(StepNames())
