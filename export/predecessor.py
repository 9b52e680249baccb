"""What a new release is measured against: the test figure of the release that it is to follow."""

import json
from pathlib import Path

from google.protobuf.text_format import ParseError

from export import configuration
from export.errors import PredecessorError
from export.members import Member


def f1_macro(repository: Path, number: int, members: list[Member]) -> float | None:
    """Macro-F1 of a release of the repository on its own test photos; None where it was not evaluated.

    Raises:
        PredecessorError: there is no such release, it cannot be read, or it knows other classes.
    """
    file = repository / f"{configuration.ENSEMBLE}_{number}" / "config.pbtxt"
    try:
        parameters = configuration.from_text(file.read_text(encoding="utf-8")).parameters
        facts = {key: json.loads(parameters[key].string_value) for key in ("classes", "metrics")}
        keys = [one["key"] for one in facts["classes"]]
    except (OSError, ParseError, ValueError, KeyError, TypeError) as error:
        raise PredecessorError(
            f"Release {number} cannot be read from {repository}: name another with --follows, or leave it out."
        ) from error
    if keys != [one["key"] for one in members[0].classes["classes"]]:
        raise PredecessorError(
            f"Release {number} knows other classes, so that the new one cannot be compared with it: leave --follows out."
        )
    figure: float | None = facts["metrics"].get("f1_macro")
    return figure
