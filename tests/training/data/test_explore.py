"""`explore` writes one page that needs nothing else and shows what is in the folder."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from browser import DESKTOP, SMALL_PHONE, accessibility_faults, chromium, opened, overflows
from tinted_photos import make_photos

from training.__main__ import main


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a small set with a lost file, a copy under another label and a near-duplicate."""
    folder = tmp_path_factory.mktemp("explore")
    root = make_photos(folder / "field photos", per_class=6)
    images = root / "train_images"
    (images / "0_00.jpg").unlink()
    shutil.copyfile(images / "1_00.jpg", images / "twin.jpg")
    with (root / "train.csv").open("a") as table:
        table.write("twin.jpg,1\n")
    (images / "3_01.jpg").write_bytes((images / "3_01.jpg").read_bytes()[:300])
    (images / "<b>.jpg").write_bytes((images / "4_00.jpg").read_bytes())
    out = folder / "pages" / "page.html"
    given = ["explore", "--data", str(root), "--dataset.task", "cassava", "--out", str(out), "--model.input_size", "64"]
    fractions = ["--dataset.validation_fraction", "0.2", "--dataset.test_fraction", "0.2"]
    assert main([*given, *fractions]) == 0
    return out


def test_the_page_is_whole_in_itself(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert not re.search(r'(?:src|href)="(?!data:|#)', text)
    assert str(page.parents[1]) not in text  # no path of this machine


def test_it_tells_what_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "<h1>field photos</h1>" in text
    assert "29 usable photos of 5 classes" in text
    assert "train_images/3_01.jpg" in text
    assert "train.csv:2" in text
    assert "&lt;b&gt;.jpg" in text
    assert "1_00.jpg and twin.jpg" in text
    assert "0 bits apart" in text
    assert text.count("data:image/jpeg;base64,") >= 10 + 1  # a strip of samples and one of augmented views per class


def test_photos_that_cannot_be_divided_are_shown_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_photos(tmp_path / "few", per_class=2)
    out = tmp_path / "few.html"
    assert main(["explore", "--data", str(root), "--dataset.task", "cassava", "--out", str(out)]) == 0
    assert "cannot be divided as configured" in out.read_text(encoding="utf-8")
    assert f"10 usable photos, 0 problems; page: {out}" in capsys.readouterr().out


def test_a_page_that_cannot_be_written_is_said(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    given = [
        "explore",
        "--data",
        str(photos),
        "--dataset.task",
        "cassava",
        "--out",
        str(tmp_path / "file" / "page.html"),
    ]
    assert main(given) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_it_reads_well_in_a_browser(page: Path) -> None:
    with chromium() as browser:
        for screen in (DESKTOP, SMALL_PHONE):
            with opened(browser, page.as_uri(), **screen) as shown:
                assert not overflows(shown)
                assert accessibility_faults(shown) == []
                broken = "[...document.images].filter(each => each.complete && !each.naturalWidth).length"
                assert shown.evaluate(broken) == 0
