"""A full disk, and other refusals of the file system, are said in a line."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError

from training.__main__ import main
from training.errors import ModelFolderError
from training.folder import Predictions, write_json, write_predictions
from training.learning.unfinished import Unfinished
from training.writing import writing

NOTHING = Predictions(np.zeros((40, 3), np.float32), np.zeros(40, np.int64), np.array(["a"] * 40), "0")


def test_a_checkpoint_that_does_not_fit_leaves_the_one_before(tmp_path: Path) -> None:
    with Unfinished(tmp_path / "member") as partial:
        partial.save("last.ckpt", {"epoch": 1})
        (partial.folder / ".last.ckpt").symlink_to("/dev/full")
        with pytest.raises(ModelFolderError, match=r"last\.ckpt cannot be written: no space is left there"):
            partial.save("last.ckpt", {"epoch": 2})
        assert partial.load("last.ckpt") == {"epoch": 1}
        assert not (partial.folder / ".last.ckpt").is_symlink()


@pytest.mark.parametrize("name", ["test.npz", "report.json"])
def test_a_folder_that_does_not_fit_names_the_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to("/dev/full")
    with pytest.raises(ModelFolderError, match=rf"{name} cannot be written: no space is left there\. Make room"):
        write_predictions(tmp_path, "test", NOTHING) if name == "test.npz" else write_json(tmp_path / name, {})


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "no space is left there"),
        (SafetensorError("I/O error: No space left on device (os error 28)"), "no space is left there"),
        (SafetensorError("I/O error: Permission denied (os error 13)"), "Give --out a folder you may write to"),
        (PermissionError(errno.EACCES, "Permission denied"), "Give --out a folder you may write to"),
    ],
)
def test_refusals_are_told_apart(tmp_path: Path, error: Exception, said: str) -> None:
    with pytest.raises(ModelFolderError, match=said), writing(tmp_path):
        raise error


def test_a_full_disk_anywhere_else_is_a_line_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("training.transfer.folders.pull", full)
    assert main(["pull", "--from", "https://127.0.0.1/a", "--out", str(tmp_path / "out")]) == 2
    assert "error: a file cannot be written: no space is left there" in capsys.readouterr().err
