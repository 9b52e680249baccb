"""`python -m deploy.capacity`: the tables for the loads asked for, or the part of docs/capacity.md that is generated."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from deploy.capacity.model import LOADS, SIZES, Assumptions, plan
from deploy.capacity.page import limits_table, needs_table, page

MEASURED = Path(__file__).with_name("measured.json")


def main(arguments: list[str] | None = None) -> int:
    """Print the table for the loads asked for, or the page's part."""
    parser = argparse.ArgumentParser(prog="python -m deploy.capacity", description=__doc__)
    parser.add_argument("--photos-per-second", type=float, nargs="+", default=LOADS, help="peaks, default %(default)s")
    parser.add_argument("--megapixels", choices=SIZES, default=SIZES[0], help="of a photo, default %(default)s")
    parser.add_argument("--measured", type=Path, default=MEASURED, help="default %(default)s")
    parser.add_argument("--page", action="store_true", help="print the generated part of docs/capacity.md")
    for field in dataclasses.fields(Assumptions):
        kind = int if field.type is int else float
        parser.add_argument(
            f"--{field.name.replace('_', '-')}", type=kind, default=field.default, help=field.metadata["says"]
        )
    told = parser.parse_args(arguments)
    given = Assumptions(**{field.name: getattr(told, field.name) for field in dataclasses.fields(Assumptions)})
    if min(told.photos_per_second) <= 0 or not 0 < given.busy <= 1:
        parser.error("photos a second must be above 0, and --busy above 0 and at most 1")
    measured = json.loads(told.measured.read_text(encoding="utf-8"))
    if told.page:
        sys.stdout.write(page(measured, given) + "\n")
    else:
        plans = [plan(measured, given, rate, told.megapixels) for rate in told.photos_per_second]
        sys.stdout.write(f"{needs_table(plans)}\n\n{limits_table(measured, given)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
