"""What a run is to measure; the command line."""

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.systems.catalog import OURS, REFERENCE, SYSTEMS

FULLSIZE = Path("build/fullsize")
PARTS = ("bare", "curve", "arrivals", "bad", "overload", "breakdown")
QUICK = (OURS, "triton", REFERENCE, "fastapi-engine", "litserve-engine")


@dataclass(frozen=True)
class Options:
    """One run."""

    repository: Path
    members: Path
    photos: Path | None
    photo_count: int
    systems: tuple[str, ...]
    parts: tuple[str, ...]
    clients: int
    levels: tuple[int, ...]
    rounds: int
    seconds: float
    patience_s: float
    deadline_s: float
    bound: float
    price: float
    out: Path

    def as_json(self) -> dict[str, Any]:
        """Without this machine's folders."""
        told = asdict(self) | {"photos": "a folder" if self.photos else "drawn"}
        for name in ("repository", "members", "out"):
            del told[name]
        return told


def parse(arguments: list[str] | None = None) -> tuple[Options, argparse.Namespace]:
    """The run, and what is to be done with its result (`guard`, `update_baseline`)."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="What is served, measured against everything that a user would pick instead, in one run.",
        epilog="systems: " + ", ".join(SYSTEMS) + f"; parts: {', '.join(PARTS)}",
    )
    demo = Path("demo")
    parser.add_argument(
        "--quick", action="store_true", help="demo members, few systems, rounds only: under five minutes"
    )
    parser.add_argument("--repository", type=Path, help=f"default {FULLSIZE}/model_repository")
    parser.add_argument("--members", type=Path, help=f"folder of the trained-model folders, default {FULLSIZE}/members")
    parser.add_argument("--photos", type=Path, help="folder of JPEGs (default: drawn ones, 800x600 to 12 megapixels)")
    parser.add_argument("--photo-count", type=int, default=16, help="photos in turn, default %(default)s")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, help="default: all; with --quick: " + ", ".join(QUICK))
    parser.add_argument("--parts", nargs="*", choices=PARTS, help="beside the rounds; default: all; with --quick: bare")
    parser.add_argument("--clients", type=int, default=8, help="in the rounds, default %(default)s")
    parser.add_argument("--levels", nargs="+", type=int, default=[1, 2, 4, 8, 16, 32, 64], help="clients of the curve")
    parser.add_argument("--rounds", type=int, default=3, help="default %(default)s")
    parser.add_argument("--seconds", type=float, default=8, help="of each measurement, at least; default %(default)s")
    parser.add_argument("--patience", type=float, default=20, help="most seconds that a load may take to settle")
    parser.add_argument("--deadline", type=float, default=5, help="what a client waits at most under overload, seconds")
    parser.add_argument(
        "--bound", type=float, default=0.1, help="most that a probability may differ, default %(default)s"
    )
    parser.add_argument("--price", type=float, default=0.04, help="of a core-hour, for the cost; default %(default)s")
    parser.add_argument(
        "--out", type=Path, default=Path("build/bench"), help="folder of the results, default %(default)s"
    )
    parser.add_argument(
        "--guard", action="store_true", help="fail where a ratio is worse than benchmarks/baseline.json's"
    )
    parser.add_argument("--update-baseline", action="store_true", help="write the ratios of this run there")
    given = parser.parse_args(arguments)
    if (given.guard or given.update_baseline) and (not given.quick or given.repository or given.members):
        parser.error("the baseline is of --quick's own members: no --repository, --members, or run without --quick")
    systems = given.systems or (QUICK if given.quick else tuple(SYSTEMS))
    needed = (OURS, *(name for name in SYSTEMS if name in (*systems, REFERENCE) and name != OURS))
    parts = given.parts if given.parts is not None else (("bare",) if given.quick else PARTS)
    base = demo if given.quick else FULLSIZE
    options = Options(
        repository=given.repository or base / "model_repository",
        members=given.members or base / "members",
        photos=given.photos,
        photo_count=given.photo_count,
        systems=needed,
        parts=tuple(parts),
        clients=given.clients,
        levels=tuple(sorted(given.levels)),
        rounds=given.rounds,
        seconds=given.seconds,
        patience_s=given.patience,
        deadline_s=given.deadline,
        bound=given.bound,
        price=given.price,
        out=given.out,
    )
    return options, given
