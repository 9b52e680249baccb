"""A photo's time by stage, and whether the stages add up to what its sender waited."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.breakdown.traces import Request

STAGES = ("receive", "check", "queue", "decode", "infer", "average", "respond")
HAND_OVER = "hand over"
OUTSIDE = "outside"
ABOUT = {
    "receive": "the gateway takes the upload",
    "check": "the gateway decodes it once, to know that it is whole",
    "queue": "waiting for a thread of the gateway, for Triton's steps and for other photos of a batch",
    "decode": "Triton's DALI step: decode, resize, normalise for each member",
    "infer": "the slower member, with its wait for a share of the cores",
    "average": "the averaging step",
    "respond": "the gateway words the answer and hands it to the record",
    HAND_OVER: "gRPC both ways, and Triton between its steps",
    OUTSIDE: "the client's and the server's HTTP, not seen by the gateway's clocks",
}


@dataclass(frozen=True)
class Answered:
    """One photo as its sender saw it: what he waited, and the reply's own `timings_ms`."""

    request_id: str
    total_ms: float
    timings_ms: dict[str, float]


def split(answered: Answered, request: Request) -> dict[str, float]:
    """Milliseconds of each stage along the way that the answer waited for.

    Members run side by side; the one that ended last counts.

    Raises:
        KeyError: the trace is not whole.
    """
    told = answered.timings_ms
    parts = {"preprocess": [], "average": [], "member": []}  # type: dict[str, list[Any]]
    for step in request.steps:
        kind = step.model.split("_")[0]
        parts[kind if kind in ("preprocess", "average") else "member"].append(step)
    member = max(parts["member"], key=lambda step: step.moments["COMPUTE_END"])
    (decode,), (average,) = parts["preprocess"], parts["average"]
    stages = {
        "receive": told["receive"],
        "check": told["check"],
        "queue": told["queue"] + sum(step.queue_ms for step in (decode, member, average)),
        "decode": decode.compute_ms,
        "infer": member.compute_ms,
        "average": average.compute_ms,
        "respond": told["respond"],
    }
    in_triton = decode.queue_ms + member.queue_ms + average.queue_ms
    in_triton += sum(stages[name] for name in ("decode", "infer", "average"))
    stages[HAND_OVER] = told["infer"] - in_triton
    stages[OUTSIDE] = answered.total_ms - told["total"]
    return stages


def mean_stages(answers: Sequence[Answered], traced: dict[str, Request]) -> dict[str, Any]:
    """Means over the photos that both sides know.

    Returns:
        `stages_ms` by name, `total_ms` as clients measured it, `covered`: the share of it that the seven stages make.
    """
    rows = []
    for each in answers:
        if each.request_id in traced:
            try:
                rows.append((each.total_ms, split(each, traced[each.request_id])))
            except (KeyError, ValueError):
                continue  # a trace that was cut off when tracing began or ended
    if not rows:
        return {"photos": 0, "stages_ms": {}, "total_ms": float("nan"), "covered": float("nan")}
    stages = {name: statistics.fmean(row[name] for _, row in rows) for name in (*STAGES, HAND_OVER, OUTSIDE)}
    total = statistics.fmean(total for total, _ in rows)
    return {
        "photos": len(rows),
        "stages_ms": stages,
        "total_ms": total,
        "covered": sum(stages[name] for name in STAGES) / total,
    }
