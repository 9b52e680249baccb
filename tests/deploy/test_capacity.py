"""The capacity model: its arithmetic, its page, and that what it is fed with counts."""

import dataclasses
import json
from pathlib import Path

import pytest
from processes import ROOT

from deploy.capacity.__main__ import MEASURED, main
from deploy.capacity.model import LOADS, SIZES, Assumptions, limits, plan
from deploy.capacity.page import page

FIGURES = json.loads(MEASURED.read_text(encoding="utf-8"))
GIVEN = Assumptions()
EASY = {
    "date": "2026-01-01",
    "gateway": {
        "command": "",
        "hardware": "",
        "cpu_ms": {"2": 6.0, "12": 60.0},
        "photo_bytes": {"2": 500_000, "12": 2_500_000},
    },
    "database": {"rows": 10, "bytes_per_row": 1000.0},
    "cpu_engine": {"command": "", "hardware": "", "cores": 2, "photos_per_second": 4.0},
}


def test_a_plan_by_hand() -> None:
    assumed = Assumptions(busy=0.5, mean_to_peak=0.5, retention_days=100, kept_share=0.5, gpu_photos_per_second=100)
    one = plan(EASY, assumed, 100, "2")
    assert one.gpus == 2 + 1
    assert one.gateway_cores == 2 + 2  # 0.6 of a core, planned for half: two at least, and two spare
    assert one.incoming_gbit_per_second == pytest.approx(0.4)
    assert one.rows_a_day == 100 * 0.5 * 86_400
    assert one.rows_gb == pytest.approx(4_320_000 * 100 * 1000 / 1e9)
    assert one.kept_photos_gb == pytest.approx(4_320_000 * 100 * 0.5 * 500_000 / 1e9)
    assert one.compute_dollars_a_month == pytest.approx(730 * (3 * 0.80 + 4 * 0.04))
    assert one.storage_dollars_a_month == pytest.approx((432 + 108_000) * 0.10)
    assert one.cpu_only_cores == 100


def test_large_photos_are_decoded_small_on_the_gpu_and_large_in_the_gateway() -> None:
    assumed = Assumptions(gpu_photos_per_second=1e9, gpu_decode_megapixels_per_second=300, busy=1)
    assert plan(EASY, assumed, 1000, "2").gpus == 7 + 1
    assert plan(EASY, assumed, 1000, "12").gpus == 10 + 1
    assert plan(EASY, assumed, 1000, "12").gateway_cores == 60 + 2


@pytest.mark.parametrize("size", SIZES)
def test_more_photos_never_take_less(size: str) -> None:
    plans = [plan(FIGURES, GIVEN, rate, size) for rate in LOADS]
    for field in dataclasses.fields(plans[0]):
        values = [getattr(one, field.name) for one in plans]
        if field.name != "megapixels":
            assert values == sorted(values), field.name


def test_the_lowest_limit_comes_first_and_originals_break_the_gateway() -> None:
    for size in SIZES:
        found = [limit.photos_per_second for limit in limits(FIGURES, GIVEN, size)]
        assert found == sorted(found)
    assert limits(FIGURES, GIVEN, "12")[0].name == "the gateway's processes (2)"


def test_the_page_is_what_the_command_says() -> None:
    text = (ROOT / "docs" / "capacity.md").read_text(encoding="utf-8")
    assert text.endswith(page(FIGURES, GIVEN) + "\n"), "run: make docs"


def test_figures_of_ones_own_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.json").write_text(json.dumps(EASY))
    assert (
        main(
            ["--photos-per-second", "1200", "--gpu-photos-per-second", "100", "--measured", str(tmp_path / "mine.json")]
        )
        == 0
    )
    assert "| 1,200 | 2 | 21 | 14 |" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [["--photos-per-second", "0"], ["--busy", "1.5"], ["--megapixels", "5"]])
def test_what_cannot_be_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(wrong)
    assert ended.value.code == 2
    assert wrong[0].lstrip("-").split("-")[0] in capsys.readouterr().err
