"""`python -m benchmarks`: the served pair against PyTorch behind FastAPI and against the bare engines, in one run.

Rounds alternate the order of what is compared; each ratio is taken within its own round and shown with its spread.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import load, systems

OURS, OURS_HALF = "ours, as released", "ours, bfloat16"
EAGER, EAGER_HALF = "PyTorch eager float32", "PyTorch eager bfloat16"
BARE = {OURS: "bare engines, as released", OURS_HALF: "bare engines, bfloat16"}
PRECISIONS = {OURS: "configured", OURS_HALF: "bfloat16"}
FULLSIZE = Path("build/fullsize")


def say(line: str) -> None:
    """Progress goes to standard error."""
    sys.stderr.write(f"bench: {line}\n")
    sys.stderr.flush()


def read_photos(folder: Path | None, count: int) -> list[bytes]:
    """Photos to send in turn; the demo's drawn leaf where no folder is given."""
    files = [Path("demo/leaf.jpg")]
    if folder is not None:
        files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))[:count]
    if not files:
        raise SystemExit(f"bench: {folder} holds no JPEG: give another --photos folder.")
    return [file.read_bytes() for file in files]


def agreement(ours: int, eager: int, photos: Sequence[bytes]) -> dict[str, float]:
    """How far two systems answer alike: what is compared must do the same work."""
    pairs = [
        (list(load.ask(ours, photo)["probabilities"].values()), load.ask(eager, photo)["probabilities"])
        for photo in photos
    ]
    same = [int(np.argmax(a) == np.argmax(b)) for a, b in pairs]
    return {
        "photos": len(pairs),
        "same class": statistics.mean(same),
        "largest difference of a probability": float(max(np.abs(np.subtract(a, b)).max() for a, b in pairs)),
        "spread of the probabilities": float(np.std([b for _, b in pairs], axis=0).mean()),
    }


def hardware() -> dict[str, str]:
    """What the figures were taken on."""
    facts = Path("/proc/cpuinfo").read_text()
    model = next((line.split(":")[1].strip() for line in facts.splitlines() if line.startswith("model name")), "")
    flags = ("avx2", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8")
    git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "processor": f"{torch.get_num_threads()} cores of {model or platform.processor()}",
        "instructions": ", ".join(flag for flag in flags if flag in facts),
        "torch": torch.__version__,
        "commit": git.stdout.strip(),
    }


def compare(given: argparse.Namespace) -> dict[str, Any]:
    """Run all rounds; returns every figure of every round."""
    folders = [given.members / name for name in given.names]
    photos = read_photos(given.photos, given.photo_count)
    rounds: list[dict[str, float]] = []
    with ExitStack() as running:
        say("starting the served pair, twice, and the PyTorch peers")
        ports = {name: running.enter_context(systems.stack(given.repository, PRECISIONS[name])) for name in PRECISIONS}
        ports[EAGER] = running.enter_context(systems.pytorch(folders, "float32"))
        ports[EAGER_HALF] = running.enter_context(systems.pytorch(folders, "bfloat16"))
        say("comparing answers")
        alike = {name: agreement(ports[name], ports[EAGER], photos) for name in PRECISIONS}
        for number in range(given.rounds):
            figures: dict[str, float] = {}
            order = [OURS, BARE[OURS], EAGER, OURS_HALF, BARE[OURS_HALF], EAGER_HALF]
            for name in order if number % 2 == 0 else reversed(order):
                if name in ports:
                    result = load.closed_loop(load.Target(ports[name]), photos, given.clients, given.seconds)
                    if result.failures:
                        raise SystemExit(f"bench: {name} failed {result.failures} times: its figures mean nothing.")
                    figures |= {name: result.photos_per_second, f"{name}, p95 ms": result.p95_ms}
                else:
                    served = OURS if name == BARE[OURS] else OURS_HALF
                    ways = systems.bare_engines(given.repository, PRECISIONS[served], given.seconds / 3)
                    figures |= {f"{name}, {way}": rate for way, rate in ways.items()}
            say(f"round {number + 1} of {given.rounds}: " + ", ".join(f"{k} {v:.2f}" for k, v in figures.items()))
            rounds.append(figures)
    return {"hardware": hardware(), "clients": given.clients, "agreement": alike, "rounds": rounds}


def spread(values: Sequence[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):6.2f}  ({min(values):.2f}-{max(values):.2f})"


def table(result: dict[str, Any]) -> str:
    """The comparison as text; ratios are medians of the rounds' own ratios."""
    rounds = result["rounds"]
    rates = sorted(name for name in rounds[0] if not name.endswith(" ms"))
    lines = [f"{key}: {value}" for key, value in result["hardware"].items()]
    for name, figures in result["agreement"].items():
        lines.append(f"{name} against eager float32: " + ", ".join(f"{k} {v:.4g}" for k, v in figures.items()))
    lines += ["", f"{'photos per second, ' + str(result['clients']) + ' clients':<42} median  (range)"]
    lines += [f"{name:<42} {spread([each[name] for each in rounds])}" for name in rates]
    lines += ["", f"{'ratio within a round':<42} median  (range)"]
    for ours in PRECISIONS:
        for peer in (EAGER, EAGER_HALF):
            lines.append(f"{ours + ' / ' + peer:<42} {spread([each[ours] / each[peer] for each in rounds])}")
        best = [max(v for name, v in each.items() if name.startswith(BARE[ours])) for each in rounds]
        ratios = [each[ours] / limit for each, limit in zip(rounds, best, strict=True)]
        lines.append(f"{ours + ' / best of its bare engines':<42} {spread(ratios)}")
    return "\n".join(lines)


def main() -> int:
    """Compare, print the table, keep every figure as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--repository", type=Path, default=FULLSIZE / "model_repository", help="default %(default)s")
    parser.add_argument("--members", type=Path, default=FULLSIZE / "members", help="their folders, default %(default)s")
    parser.add_argument("--names", nargs="+", default=["efficientnet_b4", "vit_base_384"], help="members to compare")
    parser.add_argument("--photos", type=Path, help="folder of JPEG photos (default: the demo's drawn leaf)")
    parser.add_argument("--photo-count", type=int, default=32, help="photos in turn, default %(default)s")
    parser.add_argument("--clients", type=int, default=8, help="default %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default %(default)s")
    parser.add_argument("--seconds", type=float, default=30, help="of each system in each round, default %(default)s")
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"), help="all figures, default %(default)s")
    given = parser.parse_args()
    result = compare(given)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n")
    sys.stdout.write(table(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
