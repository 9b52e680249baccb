"""`python -m export`: trained-model folders to releases in a Triton model repository."""

import argparse
import sys
import time
from pathlib import Path

from PIL import Image

from export.errors import ExportError

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png"}


def say(line: str) -> None:
    """Progress goes to standard error."""
    sys.stderr.write(f"export: {line}\n")
    sys.stderr.flush()


def sample_photos(folder: Path | None, count: int) -> list[Image.Image]:
    """The first `count` photos below a folder, by name; drawn leaves where no folder is given.

    Raises:
        ExportError: the folder holds no photo.
    """
    from export.leaf_drawing import draw_leaf

    if folder is None:
        return [draw_leaf(seed) for seed in range(count)]
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PHOTO_SUFFIXES)[:count]
    if not files:
        raise ExportError(
            f"{folder} holds no photo ({', '.join(sorted(PHOTO_SUFFIXES))}): give another --photos folder."
        )
    return [Image.open(file).convert("RGB") for file in files]


def release(given: argparse.Namespace) -> None:
    """Write the next release."""
    from export.members import read_member
    from export.release import ReleaseOptions, write_release

    start = time.monotonic()
    members = [read_member(folder.resolve()) for folder in given.members]
    options = ReleaseOptions(given.cpu_precision, given.float16_weights, given.coverage)
    photos = sample_photos(given.photos, given.check_photos)
    number = write_release(given.repository, members, photos, options, say)
    say(f"release {number} is in {given.repository} after {time.monotonic() - start:.0f} s; serve it with:")
    sys.stdout.write(f"make serve REPOSITORY={given.repository}\n")


def seeded(given: argparse.Namespace) -> None:
    """Write seeded members of the production pair."""
    from export import production
    from export.members import read_json
    from export.seeded import write_seeded_member

    photos = sample_photos(given.photos, 16)
    count = len(read_json(given.classes)["classes"])
    for name, architecture in production.PRODUCTION_PAIR.items():
        say(f"{name}: seeded {architecture}, statistics from {len(photos)} photos")
        write_seeded_member(given.out / name, architecture, given.classes, count, photos)


def configurations(given: argparse.Namespace) -> None:
    """Write the production pair's configurations without weights."""
    from export.configuration import PREPROCESS
    from export.production import production_members
    from export.release import write_preprocessing, write_steps

    members = production_members(given.classes)
    write_steps(given.repository, members, given.cpu_precision)
    write_preprocessing(given.repository / PREPROCESS / "1", members)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    commands = top.add_subparsers(required=True)

    command = commands.add_parser("release", help="trained-model folders to the next numbered release")
    command.add_argument(
        "--members", type=Path, nargs="+", required=True, help="trained-model folders; their names become steps"
    )
    command.add_argument("--repository", type=Path, required=True, help="model repository to write into")
    command.add_argument(
        "--photos", type=Path, help="folder of photos to check the conversion on (default: drawn leaves)"
    )
    command.add_argument("--check-photos", type=int, default=8, help="how many of them (default %(default)s)")
    command.add_argument(
        "--cpu-precision", choices=("float32", "bfloat16"), default="float32", help="default %(default)s"
    )
    command.add_argument("--float16-weights", action="store_true", help="store ONNX weights as float16")
    command.add_argument("--coverage", type=float, default=0.9, help="of prediction sets, 0 to 1 (default %(default)s)")
    command.set_defaults(run=release)

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
    command.add_argument(
        "--cpu-precision", choices=("float32", "bfloat16"), default="bfloat16", help="default %(default)s"
    )
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
