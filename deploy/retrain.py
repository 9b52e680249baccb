"""`python -m deploy.retrain`: what experts have confirmed, and the base data, to a candidate that answers some callers.

    export-feedback -> merge -> fit each member -> gates and export -> TensorRT plans, on a GPU -> canary

Each step is the room's own command, so a failure is told in its words and nothing after it runs: until the last one no
release answers otherwise than before. The gateway's settings (GATEWAY_...) say where its database and Triton are.
Standard library only.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENSEMBLE = re.compile(r"leaf_ensemble_([1-9][0-9]*)")


class RetrainError(Exception):
    """A step failed, or the folders are not as they must be; says what to do."""


def member(text: str) -> tuple[str, str]:
    """`NAME=PRESET` to both."""
    name, equals, preset = text.partition("=")
    if not (name and equals and preset):
        raise argparse.ArgumentTypeError(f"{text}: write NAME=PRESET, such as resnet18_wide=demo_cnn")
    return name, preset


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m deploy.retrain", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="base data: train.csv and train_images/")
    parser.add_argument("--repository", type=Path, required=True, help="model repository that is served")
    parser.add_argument(
        "--members",
        type=member,
        nargs="+",
        required=True,
        metavar="NAME=PRESET",
        help="members and the presets that train them; the names are the steps of the served release",
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=ROOT / "build" / "retrain",
        help="default %(default)s; feedback/, data/ and members/ in it are made anew",
    )
    parser.add_argument("--share", type=float, default=10.0, help="percent of the callers (default %(default)s)")
    parser.add_argument("--gateway-python", default=sys.executable, help="interpreter of the gateway's environment")
    parser.add_argument("--triton-python", default=None, help="interpreter of Triton's environment")
    parser.add_argument(
        "--plans",
        type=shlex.split,
        default=[],
        metavar="COMMAND",
        help="what builds the new release's TensorRT plans, where a GPU serves it",
    )
    parser.add_argument(
        "--export-flags", nargs=argparse.REMAINDER, default=[], help="the rest goes to `export release`"
    )
    return parser.parse_args(arguments)


def newest(repository: Path) -> int:
    """The highest number of a release in the repository.

    Raises:
        RetrainError: it holds none.
    """
    numbers = [int(match[1]) for path in repository.glob("leaf_ensemble_*") if (match := ENSEMBLE.fullmatch(path.name))]
    if not numbers:
        raise RetrainError(
            f"{repository} holds no release that a candidate could be tried beside: `make export` first."
        )
    return max(numbers)


def step(title: str, *command: str | Path) -> str:
    """Run one room's command; returns what it wrote to standard output.

    Raises:
        RetrainError: it failed; it has said why.
    """
    sys.stderr.write(f"retrain: {title}\n")
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise RetrainError(f"{title}: ended with status {done.returncode}. No release answers otherwise than before.")
    return done.stdout


def served(gateway_python: str) -> int:
    """Number of the release that answers.

    Raises:
        RetrainError: none does.
    """
    states = json.loads(
        step("asking which release answers", gateway_python, "-m", "gateway", "release", "list", "--json")
    )
    stable = [state["number"] for state in states if state["role"] == "stable"]
    if not stable:
        raise RetrainError(
            "No release answers, so a candidate has nothing beside it: start Triton and the gateway first."
        )
    return int(stable[0])


def retrain(given: argparse.Namespace) -> int:
    """All steps; returns the candidate's number.

    Raises:
        RetrainError
    """
    python, gateway = sys.executable, given.gateway_python
    repository, work = given.repository.resolve(), given.work.resolve()
    stable = served(gateway)
    feedback, data, members = (work / name for name in ("feedback", "data", "members"))
    for folder in (feedback, data, members):
        shutil.rmtree(folder, ignore_errors=True)
    step("exporting confirmed feedback", gateway, "-m", "gateway", "export-feedback", "--out", feedback)
    task = feedback / "classes.json"
    merged = step(
        "merging it with the base data",
        *(python, "-m", "training", "merge", "--data", given.data.resolve(), "--data", feedback),
        *("--out", data, "--task", task),
    )
    sys.stderr.write(merged)
    folders = [members / name for name, _ in given.members]
    for folder, (name, preset) in zip(folders, given.members, strict=True):
        step(
            f"training {name} by {preset}",
            *(python, "-m", "training", "fit", "--config", preset, "--data", data, "--out", folder),
            *("--dataset.task", task),
        )
    triton = ("--triton-python", given.triton_python) if given.triton_python else ()
    step(
        f"exporting, gates closed to what is clearly worse than release {stable}",
        *(python, "-m", "export", "release", "--members", *folders, "--repository", repository, "--photos", data),
        *("--follows", str(stable), *triton, *given.export_flags),
    )
    number = newest(repository)
    if given.plans:
        step(f"TensorRT plans of release {number}", *given.plans)
    share = ("--share", str(given.share))
    step(f"trying release {number}", gateway, "-m", "gateway", "release", "canary", str(number), *share)
    return number


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 1 with one sentence."""
    given = parse(arguments)
    os.environ.setdefault("GATEWAY_MODEL_REPOSITORY", str(given.repository.resolve()))
    try:
        number = retrain(given)
    except RetrainError as error:
        sys.stderr.write(f"retrain: {error}\n")
        return 1
    sys.stdout.write(
        f"Release {number} answers {given.share:g} % of the callers. See how it does: `python -m gateway release compare`; "
        f"then `make promote N={number}` or `python -m gateway release canary off`.\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
