"""The report page: whole in itself, true to its figures, readable by everybody, light and dark."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from browser import DESKTOP, SMALL_PHONE, accessibility_faults, chromium, opened, overflows

from training.__main__ import main


class Elements(HTMLParser):
    """Tags with their attributes, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag in tags]


@pytest.fixture(scope="module")
def two(member: Path, fit: Callable[..., int], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A second member of the same split beside the first."""
    second = tmp_path_factory.mktemp("second") / "sibling"
    assert fit(second, "--schedule.seed", "5", "--schedule.epochs", "1", "--model.input_size", "64") == 0
    return member, second


@pytest.fixture(scope="module")
def page(two: tuple[Path, Path], photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page about the average of both, with eight views."""
    out = tmp_path_factory.mktemp("page") / "below" / "evaluation.html"
    models = [word for folder in two for word in ("--model", str(folder))]
    options = ["--views", "8", "--worst", "3", "--attributions", "2", "--device", "cpu"]
    assert main(["evaluate", *models, "--data", str(photos), "--out", str(out), *options]) == 0
    return out


def test_training_leaves_page_and_figures(member: Path) -> None:
    evaluation = json.loads((member / "report.json").read_text())["evaluation"]
    text = (member / "evaluation.html").read_text(encoding="utf-8")
    assert evaluation["part"] == "test"
    assert f"<h1>{member.name}</h1>" in text
    assert f"{evaluation['metrics']['f1_macro']:.3f}" in text
    after = evaluation["calibration"]["after"]
    assert evaluation["calibration"]["fitted_on"] == "validation"
    assert f"{after['ece_15_bins_l1']:.3f}" in text
    assert set(evaluation["by_quality"]) == {"sharpness", "brightness", "shorter_side"}
    assert "Learning curves" in text


def test_same_figures_as_evaluate_prints(member: Path, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored = json.loads((member / "report.json").read_text())["evaluation"]
    assert main(["evaluate", "--model", str(member), "--data", str(photos), "--json", "true", "--worst", "2"]) == 0
    again = json.loads(capsys.readouterr().out)[member.name]["evaluation"]
    assert again["metrics"]["f1_macro"] == pytest.approx(stored["metrics"]["f1_macro"])
    assert again["calibration"]["temperatures"] == pytest.approx(stored["calibration"]["temperatures"], rel=1e-3)
    assert again["worst_mistakes"] == [
        {name: pytest.approx(value, abs=1e-4) if isinstance(value, float) else value for name, value in row.items()}
        for row in stored["worst_mistakes"]
    ]


def test_nothing_comes_from_elsewhere_and_no_script_runs(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    elements = Elements(text)
    assert len(text) < 3_000_000
    assert not elements.of("script", "link", "iframe")
    assert all(str(image["src"]).startswith("data:image/jpeg;base64,") for image in elements.of("img"))
    assert all(str(link["href"]).startswith("#") for link in elements.of("a"))
    assert not re.search(r"url\(|@import", text)


def test_every_picture_and_chart_says_what_it_shows(page: Path) -> None:
    elements = Elements(page.read_text(encoding="utf-8"))
    assert len(elements.of("img")) == 3 + 2 * 2  # mistakes; two photos as seen and with a map of the larger member
    assert all(image["alt"] for image in elements.of("img"))
    assert all(chart.get("aria-label") for chart in elements.of("svg") if chart.get("role") == "img")
    assert all(head.get("scope") for head in elements.of("th"))


def test_links_of_the_contents_lead_somewhere(page: Path) -> None:
    elements = Elements(page.read_text(encoding="utf-8"))
    places = {attributes.get("id") for _, attributes in elements.found}
    assert {str(link["href"])[1:] for link in elements.of("a")} <= places


def test_members_and_views_are_reported_apart(page: Path, two: tuple[Path, Path]) -> None:
    text = page.read_text(encoding="utf-8")
    assert "Average of 2 members" in text
    assert "The average against its members" in text
    assert "Eight views of each photo" in text
    assert f"{two[0].name}: no map, as its last feature map is a single position" in text
    assert f"{two[1].name}: taken at the last feature map" in text


def test_names_cannot_break_the_page(member: Path, photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(member, folder)
    classes = (folder / "classes.json").read_text(encoding="utf-8")
    (folder / "classes.json").write_text(classes.replace('"Healthy"', '"Healthy <script>alert(1)</script>"'))
    out = tmp_path / "page.html"
    data = tmp_path / "data"
    shutil.copytree(photos, data)
    (data / "label_num_to_disease_map.json").unlink()
    assert (
        main(["evaluate", "--model", str(folder), "--data", str(data), "--out", str(out), "--attributions", "0"]) == 0
    )
    assert not Elements(out.read_text(encoding="utf-8")).of("script")


def test_everybody_can_read_it(page: Path) -> None:
    with chromium() as browser:
        for scheme in ("light", "dark"):
            for screen in (DESKTOP, SMALL_PHONE):
                with opened(browser, page.as_uri(), **screen, color_scheme=scheme) as view:
                    assert not overflows(view), (scheme, screen)
                    assert not accessibility_faults(view), (scheme, screen)
                    assert view.evaluate("[...document.images].every(image => image.naturalWidth > 0)")


def test_page_that_cannot_be_written_says_so(
    member: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "file" / "page.html"
    assert main(["evaluate", "--model", str(member), "--data", str(photos), "--out", str(out), "--worst", "0"]) == 2
    assert "--out" in capsys.readouterr().err
