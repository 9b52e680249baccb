"""Table, page, guard: what is told of a result."""

import json
import math
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
        "given up",
        "litserve 0.2.19",
        "7.6/s",
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


def test_failures_are_told_on_table_and_page() -> None:
    result = results.result()
    assert "its figures mean nothing" not in table.text(result) + page.html(result)
    result["systems"]["fastapi-eager-float32"]["rounds"][0]["failures"] = 3
    assert "fastapi-eager-float32 failed 3 times" in table.text(result)
    html = page.html(result)
    assert "FastAPI failed 3 times in the rounds: its figures mean nothing" in html
    assert "<strong>3 failed</strong>" in html


def test_what_could_not_be_measured_is_told() -> None:
    result = results.result()
    facts = result["systems"]["fastapi-eager-float32"]
    facts["overload"] = {"left_out": "it did not start"}
    facts["arrivals"][0] |= {"p50_ms": 90.0, "p95_ms": math.inf, "p99_ms": math.nan}
    for each in facts["rounds"]:
        each["p99_ms"] = math.nan
    html = page.html(result)
    Balanced().feed(html)
    assert "90 / lost / -" in html
    for text in (html, table.text(result)):
        assert "it did not start" in text
        assert "nan" not in text


def test_photos_among_broken_ones_are_compared_with_what_would_be_no_loss() -> None:
    facts = results.system("it", 4.0, 2.0, 4.0)
    facts["bad"]["photos_per_second"] = 3.8
    assert table.usual_share(facts) == pytest.approx(1)


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


def test_guard_takes_no_more_than_its_ceiling_for_noise() -> None:
    noisy = guard.baseline_of(results.result(ours=(2.0, 4.0, 6.0), peer=(1.0, 1.0, 1.0)))
    passes, fails = (results.result(ours=3 * (rate,), peer=(1.0, 1.0, 1.0)) for rate in (3.5, 3.3))
    assert guard.judge(passes, noisy) == []
    assert "3.40 is the least" in str(guard.judge(fails, noisy)[0])


def test_guard_fails_on_a_ratio_that_the_run_lacks() -> None:
    result = results.result()
    baseline = guard.baseline_of(result)
    assert [each.name for each in guard.judge({**result, "bare": []}, baseline)] == [
        "throughput against the best bare engines"
    ]


def test_guard_compares_what_was_measured_alike() -> None:
    result = results.result()
    baseline = guard.baseline_of(result)
    assert guard.differences(result, baseline) == []
    (told,) = guard.differences({**result, "photos": "3 photos"}, baseline)
    assert told == "photos were 16 photos, are 3 photos"
    del baseline["members"]
    assert "members were not told" in guard.differences(result, baseline)[0]


@pytest.mark.parametrize("more", [[], ["--quick", "--repository", "other"], ["--quick", "--members", "other"]])
def test_guard_refuses_what_its_baseline_is_not_of(more: list[str]) -> None:
    for flag in ("--guard", "--update-baseline"):
        with pytest.raises(SystemExit):
            parse([flag, *more])


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
    monkeypatch.setattr(command, "compare", lambda _options, _keep: found)
    assert command.main(["--quick", "--guard", "--out", str(tmp_path)]) == code
    assert json.loads((tmp_path / "bench.json").read_text())["systems"]["ours"]["overload"]["within_capacity"] is None
    assert "<!doctype html>" in (tmp_path / "bench.html").read_text()
    assert "photos/s" in capsys.readouterr().out


def test_command_without_a_baseline_ends_before_it_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BASELINE", tmp_path / "baseline.json")
    monkeypatch.setattr(command, "compare", lambda _options, _keep: pytest.fail("measured"))
    with pytest.raises(SystemExit, match="no baseline"):
        command.main(["--quick", "--guard", "--out", str(tmp_path)])


def test_a_run_in_which_photos_failed_is_no_baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BASELINE", tmp_path / "baseline.json")
    found = results.result()
    found["systems"]["ours"]["rounds"][0]["failures"] = 1
    monkeypatch.setattr(command, "compare", lambda _options, _keep: found)
    assert command.main(["--quick", "--update-baseline", "--out", str(tmp_path)]) == 3
    assert not (tmp_path / "baseline.json").exists()


def test_a_baseline_of_another_run_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(guard, "BASELINE", tmp_path / "baseline.json")
    guard.write(results.result())
    found = results.result()
    found["options"]["clients"] = 4
    monkeypatch.setattr(command, "compare", lambda _options, _keep: found)
    assert command.main(["--quick", "--guard", "--out", str(tmp_path)]) == 1
    assert "clients were 8, are 4" in capsys.readouterr().err


def test_reference_and_ours_are_always_measured() -> None:
    options, _ = parse(["--systems", "bentoml-engine"])
    assert options.systems == ("ours", "fastapi-eager-float32", "bentoml-engine")
