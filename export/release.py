"""Writes release N into a model repository: complete or absent.

Everything is written aside, as a repository of its own that Triton could load, and checked there. Then version folders
are renamed into place, the ensemble `leaf_ensemble_N` last: only it makes the release exist.
"""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from export import configuration, predecessor
from export.draft import Draft, Progress
from export.durable import move
from export.leaf_drawing import draw_leaf
from export.locking import ASIDE, writing
from export.members import Member, check_together
from export.options import ReleaseOptions
from export.steps import plan_steps, write_steps

RETIRED = ".retired"
"""Where the gateway puts what it refused or pruned, one folder a release; numbers never come back."""


def next_number(repository: Path) -> int:
    """One more than any release that the repository holds or held, or of which a version is left."""
    ensembles = [re.fullmatch(rf"{configuration.ENSEMBLE}_(\d+)", p.name) for p in repository.glob("*")]
    used = [int(m[1]) for m in ensembles if m]
    versions = [int(p.parent.name) for p in repository.glob("*/*/model.onnx") if p.parent.name.isdecimal()]
    retired = [int(p.name) for p in (repository / RETIRED).glob("*") if p.name.isdecimal()]
    return 1 + max(used + versions + retired, default=0)


def write_release(
    repository: Path,
    members: list[Member],
    photos: Sequence[Image.Image],
    options: ReleaseOptions,
    progress: Progress,
) -> int:
    """Convert the members, prove the release and write it under the next number.

    Args:
        photos: RGB samples on which each conversion is checked; empty: drawn leaves.

    Returns:
        The release's number.

    Raises:
        ExportError: any of its kinds; the repository's releases are as before.
    """
    check_together(members)
    options.check(members)
    samples = list(photos) or [draw_leaf(seed) for seed in range(4)]
    with (
        writing(repository, progress),
        tempfile.TemporaryDirectory(prefix=ASIDE, dir=repository) as scratch,
    ):
        number = next_number(repository)
        draft = Draft(Path(scratch), number, members, samples, options, progress)
        if options.follows is not None:
            draft.before = predecessor.f1_macro(repository, options.follows, members)
        configuration.ensemble(members, number, draft.facts())  # too large facts are refused before the work
        plan = plan_steps(repository, members)
        draft.judge()
        for member, temperature in zip(members, draft.calibration.temperatures, strict=True):
            draft.convert(member, temperature)
        draft.fit_refusal()
        draft.assemble(plan.names)
        write_steps(draft.folder, plan)
        draft.prove(plan.names)
        write_steps(repository, plan)
        for step in (plan.names.preprocess, *(member.name for member in members), plan.names.average):
            move(draft.folder / step / str(number), repository / step / str(number))
        ensemble = f"{configuration.ENSEMBLE}_{number}"
        move(draft.folder / ensemble, repository / ensemble)
    return number
