"""`python -m training split`: a file that fixes the parts for every later run."""

from __future__ import annotations

from pathlib import Path

import pytest
from tinted_photos import TINY, make_photos

from training.__main__ import main


def test_the_file_holds_the_split_that_a_run_would_make(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos, preset = make_photos(tmp_path / "photos"), tmp_path / "tiny.yaml"
    preset.write_text(TINY)
    command = ["split", "--config", str(preset), "--data", str(photos)]
    first, second, other = (tmp_path / "splits" / f"{name}.csv" for name in ("first", "second", "other"))
    assert main([*command, "--out", str(first)]) == 0
    told = capsys.readouterr().out
    assert main([*command, "--out", str(second)]) == 0
    assert main([*command, "--out", str(other), "--dataset.split_seed", "5"]) == 0
    assert first.read_bytes() == second.read_bytes() != other.read_bytes()
    head, columns, *rows = first.read_text().splitlines()
    digest = head.split()[3]
    assert f"split {digest}" in told
    assert columns == "image_id,label,part"
    assert len(rows) == 60
    assert sum(row.endswith(",test") for row in rows) == 15
    again = ["--dataset.split_file", str(first), "--dataset.split_seed", "5", "--out", str(tmp_path / "again.csv")]
    assert main([*command, *again]) == 0, "a run takes the file's parts, whatever its seed"
    assert (tmp_path / "again.csv").read_bytes() == first.read_bytes()


def test_without_photos_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    preset = tmp_path / "tiny.yaml"
    preset.write_text(TINY)
    options = ["--config", str(preset), "--data", str(tmp_path / "empty"), "--out", str(tmp_path / "s.csv")]
    assert main(["split", *options]) == 2
    assert "error: " in capsys.readouterr().err
    assert not (tmp_path / "s.csv").exists()
