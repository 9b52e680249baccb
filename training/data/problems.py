"""What is wrong with a data folder, file by file: found before training, named with advice, written as CSV."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from training.errors import DataProblemsError

Kind = Literal[
    "missing",
    "empty",
    "unreadable",
    "truncated",
    "too small",
    "odd name",
    "unknown label",
    "duplicate row",
    "same photo with different labels",
    "test photo in the training set",
    "same photo twice",
    "not listed",
    "layout",
]

NOTES = frozenset({"same photo twice", "not listed", "layout"})
"""Kinds that harm nothing: such photos are used, or were never asked for."""
SHOWN = 40
"""Problems that a message lists; `check --out FILE` writes all of them."""


@dataclass(frozen=True, order=True)
class Problem:
    """One thing to mend."""

    kind: Kind
    path: str
    """File below the data folder, with the table's line behind a colon where a row is at fault."""
    detail: str
    advice: str

    @property
    def harmful(self) -> bool:
        """Whether training on it would fail or teach something wrong."""
        return self.kind not in NOTES

    def __str__(self) -> str:
        return f"{self.kind}: {self.path}: {self.detail}. {self.advice}"


def refuse(problems: Sequence[Problem], root: Path) -> None:
    """Raise one error that names every harmful problem.

    Raises:
        DataProblemsError: at least one problem is harmful.
    """
    harmful = [problem for problem in problems if problem.harmful]
    if harmful:
        count = f"{len(harmful)} problem{'s' if harmful[1:] else ''}"
        raise DataProblemsError(
            f"{count} with the photos in {root} ({summary(harmful)}). Mend them, or leave these photos out with "
            f"--dataset.problems skip.\n{listing(harmful)}",
            harmful,
        )


def summary(problems: Sequence[Problem]) -> str:
    """Count by kind, the commonest first: `3 missing, 1 truncated`."""
    return ", ".join(f"{count} {kind}" for kind, count in Counter(problem.kind for problem in problems).most_common())


def listing(problems: Sequence[Problem], shown: int = SHOWN) -> str:
    """One indented line per problem, the first `shown` of each kind."""
    lines = []
    for kind in dict.fromkeys(problem.kind for problem in problems):
        same = [problem for problem in problems if problem.kind == kind]
        lines += [f"  {problem}" for problem in same[:shown]]
        if len(same) > shown:
            lines.append(
                f"  {kind}: {len(same) - shown} more; `python -m training check --out FILE.csv` writes all of them"
            )
    return "\n".join(lines)


def write_problems(problems: Sequence[Problem], path: Path) -> None:
    """Write CSV: kind, path, detail, advice, harmful (yes or no); its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("kind", "path", "detail", "advice", "harmful"))
        for each in problems:
            table.writerow((each.kind, each.path, each.detail, each.advice, "yes" if each.harmful else "no"))
