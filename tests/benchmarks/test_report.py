"""Table, page, guard: what is told of a result."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import results

from benchmarks import __main__ as command
from benchmarks import guard
from benchmarks.options import parse
from benchmarks.report import page, summary, table


class Balanced(HTMLParser):
    """Fails where a tag is not closed."""

    EMPTY = ("meta", "br", "path", "use", "rect", "line", "circle")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, _attrs: object) -> None:
        """One more."""
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """One less."""
        if tag not in self.EMPTY:
            assert self.open.pop() == tag


def test_ratios_are_taken_within_rounds() -> None:
    rows = summary.rows(results.result(ours=(4.0, 8.0), peer=(1.0, 4.0)))
    peer = rows[1].figures["photos_per_second"]
    assert (peer.value, peer.lowest, peer.highest) == (2.5, 1, 4)
    assert peer.ratio == pytest.approx((0.375, 0.25, 0.5))
    assert rows[0].figures["p95_ms"].ratio == (1, 1, 1)


def test_cost_is_of_all_cores_for_as_long_as_a_million_photos_take() -> None:
    assert summary.cost(4.0, cores=2, price=0.04) == pytest.approx(1e6 / 4 / 3600 * 2 * 0.04)


def test_best_of_the_bare_engines_is_taken_round_by_round() -> None:
    result = results.result(ours=(4.0, 5.0))
    result["bare"] = [{"serial": 8.0, "streams": 5.0}, {"serial": 5.0, "streams": 10.0}]
    assert summary.best_bare(result) == pytest.approx((0.5, 0.5, 0.5))
    assert summary.best_bare({**result, "bare": []}) is None


def test_table_tells_every_part() -> None:
    text = table.text(results.result())
    for words in (
        "0.24x (0.24-0.25)",
        "bare engines, streams",
        "at twice its own capacity",
        "94%",
        "0 of 38",
        "422: 2",
        "97.2%",
    ):
        assert words in text


def test_page_is_whole_and_fetches_nothing() -> None:
    html = page.html(results.result())
    Balanced().feed(html)
    assert html.count("<svg") == 8
    assert "one &lt;process&gt;" in html
    assert "<script" not in html
    # names of XML's own, which no browser asks for
    assert not re.findall(r'(?:src|href)="(?!#)', html)


def test_page_of_a_quick_run_has_only_its_parts() -> None:
    result = results.result()
    del result["breakdown"]
    for facts in result["systems"].values():
        for part in ("curve", "arrivals", "bad", "overload"):
            del facts[part]
    html = page.html(result)
    assert html.count("<svg") == 1
    assert "twice its own capacity" not in html
    assert "twice its own capacity" not in table.text(result)


def test_guard_passes_noise_and_stops_what_is_worse() -> None:
    baseline = guard.baseline_of(results.result(ours=(4.0, 4.0, 4.0), peer=(1.0, 1.0, 1.0)))
    assert guard.judge(results.result(ours=(3.9, 3.9, 3.9), peer=(1.0, 1.0, 1.0)), baseline) == []
    worse = guard.judge(results.result(ours=(3.0, 3.0, 3.0), peer=(1.0, 1.0, 1.0)), baseline)
    assert [each.name for each in worse] == [
        "throughput against fastapi-eager-float32",
        "p95 against fastapi-eager-float32",
        "throughput against the best bare engines",
    ]
    assert "3.00, was 4.00, and 3.80 is the least" in str(worse[0])


def test_guard_allows_as_much_as_the_rounds_themselves_differ() -> None:
    baseline = guard.baseline_of(results.result(ours=(4.0, 4.0, 4.0), peer=(1.0, 1.0, 1.0)))
    noisy = results.result(ours=(3.0, 3.4, 4.4), peer=(1.0, 1.0, 1.0))
    assert [each for each in guard.judge(noisy, baseline) if "throughput against fast" in each.name] == []


def test_guard_fails_on_a_figure_that_is_no_number() -> None:
    result = results.result()
    baseline = guard.baseline_of(result)
    for each in result["systems"]["ours"]["rounds"]:
        each["p95_ms"] = float("nan")
    assert [each.name for each in guard.judge(result, baseline)] == ["p95 against fastapi-eager-float32"]


def test_stored_baseline_is_of_what_the_quick_run_measures() -> None:
    options, _ = parse(["--quick"])
    names = guard.read()["ratios"]
    for system in options.systems[1:]:
        assert f"throughput against {system}" in names
    assert "throughput against the best bare engines" in names


@pytest.mark.parametrize(("ours", "code"), [((4.0, 4.0), 0), ((2.0, 2.0), 1)])
def test_command_ends_as_the_guard_says(
    ours: tuple[float, ...],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(guard, "BASELINE", tmp_path / "baseline.json")
    guard.write(results.result(ours=(4.0, 4.0)))
    found = results.result(ours=ours)
    found["systems"]["ours"]["overload"]["within_capacity"] = float("nan")
    monkeypatch.setattr(command, "compare", lambda _options: found)
    assert command.main(["--quick", "--guard", "--out", str(tmp_path)]) == code
    assert json.loads((tmp_path / "bench.json").read_text())["systems"]["ours"]["overload"]["within_capacity"] is None
    assert "<!doctype html>" in (tmp_path / "bench.html").read_text()
    assert "photos/s" in capsys.readouterr().out


def test_reference_and_ours_are_always_measured() -> None:
    options, _ = parse(["--systems", "bentoml-engine"])
    assert options.systems == ("ours", "fastapi-eager-float32", "bentoml-engine")
