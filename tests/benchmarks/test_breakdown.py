"""Stages of a photo's time out of Triton's trace and the gateway's own clocks."""

import json
from typing import Any

import pytest

from benchmarks.breakdown import stages, traces

MS = 1_000_000
TIMINGS = {"receive": 1.0, "queue": 2.0, "check": 3.0, "infer": 101.0, "respond": 0.5, "total": 107.5}


def entries(request_id: str = "r", first: int = 1) -> list[dict[str, Any]]:
    """Triton's entries for an ensemble of two members; milliseconds: decode 1+10, members 4+60 and 4+70, average 1+2."""
    spans = {
        "leaf_ensemble_1": (0, 0, 100),
        "preprocess": (0, 1, 11),
        "a": (11, 15, 75),
        "b": (11, 15, 85),
        "average": (85, 86, 88),
    }
    found: list[dict[str, Any]] = []
    for number, (model, (queued, begun, done)) in enumerate(spans.items(), first):
        parent = {} if number == first else {"parent_id": first}
        found.append({"id": number, "model_name": model, "model_version": 1, "request_id": request_id, **parent})
        names = {"QUEUE_START": queued, "COMPUTE_START": begun, "COMPUTE_END": done}
        found += [{"id": number, "timestamps": [{"name": name, "ns": ms * MS}]} for name, ms in names.items()]
    return found


def test_stages_follow_the_way_that_the_answer_waited_for() -> None:
    (request,) = traces.requests(entries()).values()
    found = stages.split(stages.Answered("r", 110.0, TIMINGS), request)
    assert found == pytest.approx(
        {
            "receive": 1,
            "check": 3,
            "queue": 2 + 1 + 4 + 1,
            "decode": 10,
            "infer": 70,
            "average": 2,
            "respond": 0.5,
            stages.HAND_OVER: 101 - 6 - 82,
            stages.OUTSIDE: 2.5,
        }
    )
    assert sum(found.values()) == pytest.approx(110)


def test_means_are_over_photos_that_both_sides_know() -> None:
    known = traces.requests([*entries("r"), *entries("s", first=10)])
    answers = [stages.Answered(name, 110.0, TIMINGS) for name in ("r", "s", "unknown")]
    found = stages.mean_stages(answers, known)
    assert found["photos"] == 2
    assert found["covered"] == pytest.approx((1 + 3 + 8 + 10 + 70 + 2 + 0.5) / 110)


def test_traces_that_were_cut_off_are_left_out() -> None:
    cut = [entry for entry in entries() if entry.get("timestamps", [{}])[0].get("name") != "COMPUTE_END"]
    found = stages.mean_stages([stages.Answered("r", 110.0, TIMINGS)], traces.requests(cut))
    assert found["photos"] == 0
    assert found["stages_ms"] == {}


def test_a_file_of_several_arrays_is_read_to_its_end(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "trace.json"
    first, second = json.dumps(entries("r")), json.dumps(entries("s", first=10))
    file.write_text(first[:-1] + second[1:] + '{"id": 99, "model_na')
    assert set(traces.read(file)) == {"r", "s"}


def test_no_trace_is_said(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SystemExit, match="no trace"):
        traces.read(tmp_path / "trace.json")
