"""Whether a ratio has become worse than it was, by more than the measured noise."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.report.summary import ratios

BASELINE = Path(__file__).with_name("baseline.json")
FLOOR = 0.05
"""Two runs on one machine differ by so much, however quiet each was in itself."""


@dataclass(frozen=True)
class Worse:
    """A ratio that fell below what it may."""

    name: str
    was: float
    now: float
    least: float

    def __str__(self) -> str:
        return f"{self.name}: {self.now:.2f}, was {self.was:.2f}, and {self.least:.2f} is the least that noise explains"


def baseline_of(result: dict[str, Any]) -> dict[str, Any]:
    """What is kept in git of a run: ratios, each with the range of its rounds, and what they were taken on."""
    kept = {
        name: {"median": round(middle, 3), "lowest": round(low, 3), "highest": round(high, 3)}
        for name, (middle, low, high) in ratios(result).items()
    }
    return {"hardware": result["hardware"], "clients": result["options"]["clients"], "ratios": kept}


def noise(median: float, lowest: float, highest: float) -> float:
    """Half the range of the rounds, as a share of their median."""
    return (highest - lowest) / 2 / median if median > 0 else 0.0


def judge(result: dict[str, Any], baseline: dict[str, Any]) -> list[Worse]:
    """Ratios that are worse by more than the noise of both runs together; what this run did not measure is left out."""
    found = []
    now = ratios(result)
    for name, was in baseline["ratios"].items():
        if name not in now:
            continue
        allowed = max(FLOOR, noise(was["median"], was["lowest"], was["highest"]) + noise(*now[name]))
        least = was["median"] * (1 - allowed)
        if not now[name][0] >= least:
            found.append(Worse(name, was["median"], now[name][0], least))
    return found


def same_machine(result: dict[str, Any], baseline: dict[str, Any]) -> bool:
    """Ratios move from one processor to another: a baseline of another one proves little."""
    keys = ("processor", "instructions")
    return all(result["hardware"][key] == baseline["hardware"][key] for key in keys)


def read() -> dict[str, Any]:
    """The stored baseline.

    Raises:
        SystemExit: there is none.
    """
    if not BASELINE.is_file():
        raise SystemExit(
            "bench: there is no baseline yet: `make bench-quick BENCH_FLAGS=--update-baseline` writes one."
        )
    found: dict[str, Any] = json.loads(BASELINE.read_text())
    return found


def write(result: dict[str, Any]) -> None:
    """Keep this run's ratios as what later ones are measured by."""
    BASELINE.write_text(json.dumps(baseline_of(result), indent=1) + "\n")
