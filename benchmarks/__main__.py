"""`python -m benchmarks`: the served pair against PyTorch behind FastAPI and against the bare engines, in one run.

Rounds alternate the order of what is compared; every figure is a ratio within its own round, with its spread.
"""

import argparse
import io
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import torch
from PIL import Image, ImageOps
from timm.data.config import resolve_data_config
from timm.data.transforms_factory import create_transform

from benchmarks import bare, load, systems

OURS, EAGER, EAGER_HALF = "ours", "PyTorch eager float32", "PyTorch eager bfloat16"
FULLSIZE = Path("build/fullsize")


def say(line: str) -> None:
    """Progress goes to standard error."""
    sys.stderr.write(f"bench: {line}\n")
    sys.stderr.flush()


def read_photos(folder: Path | None, count: int) -> list[bytes]:
    """Photos to send; drawn leaves of 800x600 where no folder is given."""
    if folder is None:
        files = [Path("demo/leaf.jpg")]
    else:
        files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))[:count]
    if not files:
        raise SystemExit(f"bench: {folder} holds no JPEG: give another --photos folder.")
    return [files[i % len(files)].read_bytes() for i in range(count)]


def member_files(
    folders: Sequence[Path], repository: Path, precision: str, photos: Sequence[bytes]
) -> list[bare.MemberFiles]:
    """Each member's network in the repository and the photos' pixels, by timm's evaluation transform."""
    files = []
    for folder in folders:
        cfg = json.loads((folder / "config.json").read_text())["pretrained_cfg"]
        transform = create_transform(**resolve_data_config(pretrained_cfg=cfg))
        views = [transform(ImageOps.exif_transpose(Image.open(io.BytesIO(photo))).convert("RGB")) for photo in photos]
        files.append(
            bare.MemberFiles(repository / folder.name / "1" / "model.onnx", torch.stack(views).numpy(), precision)
        )
    return files


def same_answers(ours: int, eager: int, photos: Sequence[bytes]) -> dict[str, float]:
    """How far the compared systems agree: both must do the same work."""
    pairs = [
        (list(load.ask(ours, photo)["probabilities"].values()), load.ask(eager, photo)["probabilities"])
        for photo in photos
    ]
    differences = [np.abs(np.subtract(a, b)).max() for a, b in pairs]
    same = [int(np.argmax(a) == np.argmax(b)) for a, b in pairs]
    return {"same class": statistics.mean(same), "largest difference": float(max(differences))}


def hardware() -> dict[str, str]:
    """What the figures were taken on."""
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    flags = Path("/proc/cpuinfo").read_text()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "processor": f"{bare.cores()} cores of {model}",
        "instructions": ", ".join(name for name in ("avx2", "avx512_bf16", "avx512_vnni", "amx_bf16") if name in flags),
        "openvino": openvino.__version__,
        "torch": torch.__version__,
        "commit": commit,
    }


def spread(values: Sequence[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):6.2f}  ({min(values):.2f}-{max(values):.2f})"


def compare(given: argparse.Namespace) -> dict[str, Any]:
    """Run all rounds; returns every figure of every round."""
    folders = [given.members / name for name in given.names]
    photos = read_photos(given.photos, given.photo_count)
    say(f"bare engines: {', '.join(given.names)} in {given.precision}")
    engines = bare.BareEngines(member_files(folders, given.repository, given.precision, photos))
    rounds: list[dict[str, float]] = []
    with ExitStack() as running:
        say("starting the served pair and the PyTorch peers")
        ports = {
            OURS: running.enter_context(systems.stack(given.repository)),
            EAGER: running.enter_context(systems.pytorch(folders, "float32")),
            EAGER_HALF: running.enter_context(systems.pytorch(folders, "bfloat16")),
        }
        agreement = same_answers(ports[OURS], ports[EAGER], photos[:8])
        for number in range(given.rounds):
            figures: dict[str, float] = {}
            order = list(ports) if number % 2 else list(reversed(ports))
            for name in [*order, "bare"] if number % 2 else ["bare", *order]:
                if name == "bare":
                    figures |= {f"bare, {way}": rate for way, rate in engines.measure(given.seconds / 3).items()}
                    continue
                result = load.closed_loop(ports[name], photos, given.clients, given.seconds)
                if result.failures:
                    raise SystemExit(f"bench: {name} failed {result.failures} times: the figures would mean nothing.")
                figures |= {name: result.photos_per_second, f"{name}, p95 ms": result.p95_ms}
            say(f"round {number + 1} of {given.rounds}: " + ", ".join(f"{k} {v:.2f}" for k, v in figures.items()))
            rounds.append(figures)
    return {"hardware": hardware(), "clients": given.clients, "agreement": agreement, "rounds": rounds}


def table(result: dict[str, Any]) -> str:
    """The comparison as text; ratios are medians of the rounds' own ratios."""
    rounds = result["rounds"]
    rates = [name for name in rounds[0] if not name.endswith("ms")]
    lines = [f"{key}: {value}" for key, value in result["hardware"].items()]
    lines += [f"{key} (ours against eager float32): {value:.4f}" for key, value in result["agreement"].items()]
    lines += ["", f"{'photos per second, ' + str(result['clients']) + ' clients':<34} median  (range)"]
    lines += [f"{name:<34} {spread([each[name] for each in rounds])}" for name in rates]
    best = [max(value for name, value in each.items() if name.startswith("bare")) for each in rounds]
    lines += ["", f"{'ratio within a round':<34} median  (range)"]
    for name in (EAGER, EAGER_HALF):
        lines.append(f"{'ours / ' + name:<34} {spread([each[OURS] / each[name] for each in rounds])}")
    ratios = [each[OURS] / limit for each, limit in zip(rounds, best, strict=True)]
    lines.append(f"{'ours / best bare engines':<34} {spread(ratios)}")
    return "\n".join(lines)


def main() -> int:
    """Compare, print the table, keep every figure as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--repository", type=Path, default=FULLSIZE / "model_repository", help="default %(default)s")
    parser.add_argument("--members", type=Path, default=FULLSIZE / "members", help="their folders, default %(default)s")
    parser.add_argument("--names", nargs="+", default=["efficientnet_b4", "vit_base_384"], help="members to compare")
    parser.add_argument("--precision", default="bfloat16", choices=list(bare.PRECISIONS), help="of the bare engines")
    parser.add_argument("--photos", type=Path, help="folder of JPEG photos (default: the demo's drawn leaf)")
    parser.add_argument("--photo-count", type=int, default=32, help="photos in turn, default %(default)s")
    parser.add_argument("--clients", type=int, default=8, help="default %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="default %(default)s")
    parser.add_argument("--seconds", type=float, default=30, help="of each system in each round, default %(default)s")
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"), help="all figures, default %(default)s")
    given = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    result = compare(given)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n")
    sys.stdout.write(table(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
