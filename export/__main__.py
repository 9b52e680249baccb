"""`python -m export`: trained-model folders to releases in a Triton model repository."""

import argparse
import sys
import time
from pathlib import Path

from PIL import Image, ImageOps

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
    return [read_photo(file) for file in files]


def read_photo(file: Path) -> Image.Image:
    """One photo, upright.

    Raises:
        ExportError: it cannot be decoded.
    """
    try:
        with Image.open(file) as picture:
            return ImageOps.exif_transpose(picture).convert("RGB")
    except OSError as error:
        raise ExportError(f"{file} cannot be decoded ({error}): remove it or give another --photos folder.") from error


def cpu_precisions(words: list[str], members: list[str]) -> tuple[str, dict[str, str]]:
    """`bfloat16 vit_base_384=int8` to the precision of all members and of single ones.

    Raises:
        ExportError: an unknown precision or member.
    """
    from export.release import CPU_PRECISIONS

    whole, single = "float32", {}
    for word in words:
        name, equals, precision = word.rpartition("=")
        if precision not in CPU_PRECISIONS or (equals and name not in members):
            raise ExportError(
                f"--cpu-precision {word}: say one of {', '.join(CPU_PRECISIONS)}, or MEMBER=PRECISION with a member of "
                f"this release ({', '.join(members)})."
            )
        if equals:
            single[name] = precision
        else:
            whole = precision
    return whole, single


def share(text: str) -> float:
    """An argument strictly between 0 and 1."""
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def release(given: argparse.Namespace) -> None:
    """Write the next release."""
    from export.members import read_member
    from export.release import ReleaseOptions, write_release

    start = time.monotonic()
    members = [read_member(folder.resolve()) for folder in given.members]
    precision, precision_of = cpu_precisions(given.cpu_precision, [member.name for member in members])
    options = ReleaseOptions(precision, precision_of, given.float16_weights, given.coverage)
    photos = sample_photos(given.photos, given.check_photos)
    number = write_release(given.repository, members, photos, options, say)
    say(f"release {number} is in {given.repository} after {time.monotonic() - start:.0f} s; serve it with:")
    sys.stdout.write(f"make serve REPOSITORY={given.repository}\n")


def seeded(given: argparse.Namespace) -> None:
    """Write seeded members of the production pair."""
    from export import production
    from export.members import read_json
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
    from export.steps import write_preprocessing, write_steps

    members = production_members(given.classes)
    write_steps(given.repository, members)
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
        "--cpu-precision",
        nargs="+",
        default=[],
        metavar="PRECISION",
        help="on machines without a GPU: float32 (default), bfloat16 or int8, or MEMBER=PRECISION for single members",
    )
    command.add_argument("--float16-weights", action="store_true", help="store ONNX weights as float16")
    command.add_argument("--coverage", type=share, default=0.9, help="of prediction sets, 0 to 1 (default %(default)s)")
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
