"""Whether a ratio has become worse than it was, by more than the measured noise."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.report.summary import ratios

BASELINE = Path(__file__).with_name("baseline.json")
FLOOR, CEILING = 0.05, 0.15
"""Two runs on one machine differ by the first, however quiet each was in itself; beyond the second nothing is noise."""


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
    return {"hardware": result["hardware"], **_conditions(result), "ratios": kept}


def _conditions(result: dict[str, Any]) -> dict[str, Any]:
    """What must be the same for two runs' ratios to be compared."""
    return {"clients": result["options"]["clients"], "photos": result["photos"], "members": result["members"]}


def differences(result: dict[str, Any], baseline: dict[str, Any]) -> list[str]:
    """What was not measured under the baseline's conditions, in words."""
    return [
        f"{name} were {baseline.get(name, 'not told')}, are {now}"
        for name, now in _conditions(result).items()
        if baseline.get(name) != now
    ]


def noise(median: float, lowest: float, highest: float) -> float:
    """Half the range of the rounds, as a share of their median."""
    return (highest - lowest) / 2 / median if median > 0 else 0.0


def judge(result: dict[str, Any], baseline: dict[str, Any]) -> list[Worse]:
    """Ratios that are worse by more than the noise of both runs together; one that this run lacks is worse too."""
    found = []
    now = ratios(result)
    for name, was in baseline["ratios"].items():
        measured = now.get(name, 3 * (math.nan,))
        both = noise(was["median"], was["lowest"], was["highest"]) + noise(*measured)
        allowed = min(CEILING, max(FLOOR, both)) if math.isfinite(both) else FLOOR
        least = was["median"] * (1 - allowed)
        if not measured[0] >= least:
            found.append(Worse(name, was["median"], measured[0], least))
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
    """Keep this run's ratios as what later ones are measured by.

    Raises:
        SystemExit: one is no number.
    """
    if missing := [name for name, values in ratios(result).items() if not all(map(math.isfinite, values))]:
        raise SystemExit(f"bench: no baseline written: too few answers for {', '.join(missing)}.")
    BASELINE.write_text(json.dumps(baseline_of(result), indent=1) + "\n")
