"""`python -m export`: trained-model folders to releases in a Triton model repository."""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from export.errors import ExportError
from export.flags import compare_flags, registry_flags, release_flags
from export.verify import PINNED_TENSORRT


def say(line: str) -> None:
    """Progress goes to standard error."""
    sys.stderr.write(f"export: {line}\n")
    sys.stderr.flush()


def release(given: argparse.Namespace) -> None:
    """Write the next release."""
    if given.members:
        write(given, given.members)
        return
    from export.champions import fetch

    with tempfile.TemporaryDirectory() as scratch:
        fetched = fetch(Path(scratch), given.task, given.tracking, say)
        write(given, list(fetched), {folder.name: champion.said() for folder, champion in fetched.items()})


def champions(given: argparse.Namespace) -> None:
    """Download the members that passed their gate."""
    from export.champions import fetch

    for folder in fetch(given.out, given.task, given.tracking, say):
        sys.stdout.write(f"{folder}\n")


def write(given: argparse.Namespace, folders: list[Path], registered: Mapping[str, Any] | None = None) -> None:
    """Write the next release of some trained-model folders; `registered` says which versions they are, by member."""
    from export.members import read_member
    from export.options import ReleaseOptions, cpu_precisions
    from export.photos import calibration_photos, read_photo, sample_photos
    from export.refusal import RefusalOptions
    from export.release import write_release
    from export.summary import next_command, of_release

    start = time.monotonic()
    members = [read_member(folder.resolve()) for folder in folders]
    precision, precision_of = cpu_precisions(given.cpu_precision, [member.name for member in members])
    wanted = "int8" in (precision, *precision_of.values())
    calibrating = calibration_photos(given.photos, given.check_photos) if wanted else []
    options = ReleaseOptions(
        cpu_precision=precision,
        cpu_precision_of=precision_of,
        calibration_photos=calibrating,
        float16_weights=given.float16_weights,
        half_precision=given.half_precision,
        coverage=given.coverage,
        weigh=given.weights,
        refusal=RefusalOptions(
            photos=given.photos,
            negatives=given.negatives,
            fitted_on=tuple(given.fit_negatives),
            near=tuple(given.near_negatives),
            refused=given.refused_leaves,
            limit=given.outlier_photos,
        ),
        gates=dict(given.gate),
        latency_seconds=given.latency_seconds,
        follows=given.follows,
        probe_photos=[read_photo(file) for file in given.probes],
        registered=registered or {},
        triton_python=given.triton_python,
    )
    photos = sample_photos(given.photos, given.check_photos)
    number = write_release(given.repository, members, photos, options, say)
    say(f"release {number} is in {given.repository} after {time.monotonic() - start:.0f} s; for the change request:")
    sys.stdout.write(of_release(given.repository, number))
    sys.stdout.flush()
    say("next:")
    sys.stdout.write(f"{next_command(given.repository, number)}\n")


def summary(given: argparse.Namespace) -> None:
    """Sum a release up as it stands now."""
    from export.summary import next_command, of_release

    sys.stdout.write(of_release(given.repository, given.release))
    sys.stdout.write(f"{next_command(given.repository, given.release)}\n")


def plan(given: argparse.Namespace) -> None:
    """Build a release's TensorRT plans."""
    from export.planning import build_release

    build_release(given.repository, given.release, say, given.replace)


def compare(given: argparse.Namespace) -> None:
    """Compare a release's plans with its ONNX files, on photos."""
    from export.gates import Gates
    from export.photos import sample_photos
    from export.plan_comparison import compare_release

    bound = Gates(dict(given.gate)).bound("plan")
    photos = sample_photos(given.photos, given.check_photos)
    compare_release(given.repository, given.release, photos, bound, given.latency_seconds, say)


def verify(given: argparse.Namespace) -> None:
    """Check plans against this host."""
    from export import gpus
    from export import verify as checks

    capabilities = given.compute_capability
    if not capabilities:
        capabilities = sorted({gpu.compute_capability for gpu in gpus.visible() if gpu.compute_capability is not None})
    for line in checks.verify(given.repository, given.tensorrt, capabilities):
        sys.stdout.write(f"{line}\n")


def seeded(given: argparse.Namespace) -> None:
    """Write seeded members of the production pair."""
    from export import production
    from export.members import read_json
    from export.photos import sample_photos
    from export.seeded import write_seeded_member

    photos = sample_photos(given.photos, 32)
    count = len(read_json(given.classes)["classes"])
    for name, architecture in production.PRODUCTION_PAIR.items():
        say(f"{name}: seeded {architecture}, statistics from {len(photos)} photos")
        write_seeded_member(given.out / name, architecture, given.classes, count, photos)


def configurations(given: argparse.Namespace) -> None:
    """Write the production pair's configurations without weights."""
    from export.configuration import PREPROCESS
    from export.production import production_members
    from export.steps import plan_steps, write_preprocessing, write_steps

    members = production_members(given.classes)
    write_steps(given.repository, plan_steps(given.repository, members))
    write_preprocessing(given.repository / PREPROCESS / "1", members)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    commands = top.add_subparsers(required=True)

    command = commands.add_parser("release", help="trained-model folders to the next numbered release")
    release_flags(command)
    command.set_defaults(run=release)

    command = commands.add_parser("champions", help="download the members that passed their gate (MLflow's champions)")
    command.add_argument("--out", type=Path, required=True, help="folder for the trained-model folders")
    registry_flags(command)
    command.set_defaults(run=champions)

    command = commands.add_parser(
        "summary", help="a release in short, with the plans built since, for a change request"
    )
    command.add_argument("--repository", type=Path, required=True, help="model repository")
    command.add_argument("--release", type=int, required=True, help="number of the release")
    command.set_defaults(run=summary)

    command = commands.add_parser("plan", help="TensorRT plans of a release, on the GPU host that serves them")
    command.add_argument("--repository", type=Path, required=True, help="model repository")
    command.add_argument("--release", type=int, required=True, help="number of the release")
    command.add_argument(
        "--replace", action="store_true", help="let a plan of another kind of GPU go where there is one name for both"
    )
    command.set_defaults(run=plan)

    command = commands.add_parser(
        "compare", help="a release's plans against its ONNX files, on the GPU host that serves them"
    )
    compare_flags(command)
    command.set_defaults(run=compare)

    command = commands.add_parser("verify", help="whether this host can load a repository's plans")
    command.add_argument("--repository", type=Path, required=True, help="model repository")
    command.add_argument("--tensorrt", default=PINNED_TENSORRT, help="version that serves (default %(default)s)")
    command.add_argument(
        "--compute-capability",
        nargs="+",
        default=[],
        metavar="X.Y",
        help="of the GPUs that serve, as 8.9 (default: of this host's; without any, the plans that are there are checked)",
    )
    command.set_defaults(run=verify)

    command = commands.add_parser("seeded", help="full-size members with seeded weights, to try the path")
    command.add_argument("--out", type=Path, required=True, help="folder for the trained-model folders")
    command.add_argument("--classes", type=Path, required=True, help="classes.json of a task")
    command.add_argument(
        "--photos", type=Path, help="folder of photos for BatchNorm statistics (default: drawn leaves)"
    )
    command.set_defaults(run=seeded)

    command = commands.add_parser("configurations", help="the production pair's configurations, without weights")
    command.add_argument("--repository", type=Path, required=True, help="folder to write into")
    command.add_argument("--classes", type=Path, required=True, help="classes.json of a task")
    command.set_defaults(run=configurations)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 1 with one message."""
    given = parser().parse_args(arguments)
    try:
        given.run(given)
    except ExportError as error:
        sys.stderr.write(f"export: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
