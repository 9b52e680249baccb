"""Flags of `python -m export release` and of what several commands share."""

import argparse
import math
from pathlib import Path

from export.gates import DEFAULTS, override, share
from export.timing import SECONDS


def duration(text: str) -> float:
    """An argument in seconds, 0 or more."""
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no time in seconds")
    return value


def registry_flags(command: argparse.ArgumentParser) -> None:
    """Which champions are taken, and from where."""
    command.add_argument("--task", help="task of the champions (default: the one trained last)")
    command.add_argument(
        "--tracking",
        default="",
        metavar="URI",
        help="MLflow's address (default: MLFLOW_TRACKING_URI, else build/mlflow/mlflow.db)",
    )


def compare_flags(command: argparse.ArgumentParser) -> None:
    """Which plans are compared, on what, and how far they may be off."""
    command.add_argument("--repository", type=Path, required=True, help="model repository")
    command.add_argument("--release", type=int, required=True, help="number of the release")
    command.add_argument("--photos", type=Path, help="folder of photos (default: drawn leaves)")
    command.add_argument(
        "--check-photos", type=int, default=50, help="how many of them, evenly by name (default %(default)s)"
    )
    command.add_argument(
        "--latency-seconds",
        type=duration,
        default=SECONDS,
        help="for the latency of each batch size (default %(default)s; 0 measures none)",
    )
    command.add_argument(
        "--gate",
        type=override,
        nargs="+",
        default=[],
        metavar="plan=VALUE",
        help=f"largest difference of a probability, or plan=off (default {DEFAULTS['plan']:g})",
    )


def release_flags(command: argparse.ArgumentParser) -> None:
    """Which members make a release, and how."""
    command.add_argument(
        "--members",
        type=Path,
        nargs="+",
        help="trained-model folders; their names become steps (default: the champions of the task trained last)",
    )
    registry_flags(command)
    command.add_argument("--repository", type=Path, required=True, help="model repository to write into")
    command.add_argument(
        "--photos",
        type=Path,
        help="folder of photos to check the conversion on (default: drawn leaves); those that validation.npz and test.npz "
        "name are also what the outlier score is fitted and measured on",
    )
    command.add_argument(
        "--check-photos", type=int, default=8, help="how many of them, evenly by name (default %(default)s)"
    )
    command.add_argument(
        "--probes",
        type=Path,
        nargs="+",
        default=[],
        metavar="PHOTO",
        help="up to three photos that travel with the release, small and without metadata, so that a gateway can prove it; "
        "whoever may ask Triton can read them (default: the first check photos)",
    )
    command.add_argument(
        "--cpu-precision",
        nargs="+",
        default=[],
        metavar="PRECISION",
        help="on machines without a GPU: float32 (default), bfloat16, or int8, which is calibrated on --photos; or "
        "MEMBER=PRECISION for single members",
    )
    command.add_argument(
        "--half-precision",
        action="store_true",
        help="also write model_float16.onnx, which TensorRT plans are built from",
    )
    command.add_argument("--float16-weights", action="store_true", help="store ONNX weights as float16")
    command.add_argument("--coverage", type=share, default=0.9, help="of prediction sets, 0 to 1 (default %(default)s)")
    command.add_argument(
        "--weights",
        choices=("equal", "fitted"),
        default="equal",
        help="of the members in the mean (default %(default)s)",
    )
    command.add_argument(
        "--refused-leaves",
        type=share,
        default=0.05,
        help="share of unseen leaves that may be refused (default %(default)s)",
    )
    command.add_argument(
        "--negatives", type=Path, help="pictures of other things, one folder a category, to measure what is refused"
    )
    command.add_argument(
        "--fit-negatives", nargs="+", default=[], metavar="CATEGORY", help="of them, to fit the outlier score on"
    )
    command.add_argument(
        "--near-negatives", nargs="+", default=[], metavar="CATEGORY", help="of them, that resemble leaves"
    )
    command.add_argument(
        "--outlier-photos", type=int, default=256, help="most photos of a part for that (default %(default)s)"
    )
    command.add_argument(
        "--latency-seconds",
        type=duration,
        default=SECONDS,
        help="for the report's latency of each batch size (default %(default)s; 0 measures none)",
    )
    command.add_argument(
        "--gate",
        type=override,
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help=f"another bound for a gate, or NAME=off; the gates are {', '.join(DEFAULTS)}",
    )
    command.add_argument(
        "--follows",
        type=int,
        metavar="N",
        help="release of this repository that the new one must not be clearly worse than (gate release_loss)",
    )
    command.add_argument(
        "--triton-python", type=Path, help="Python of the environment with Triton: compare what it serves with torch"
    )
