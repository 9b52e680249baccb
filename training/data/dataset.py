"""Everything that a run knows about its photos before it trains: read, decoded once, checked, fingerprinted."""

from __future__ import annotations

import logging
import os
import warnings
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from training.config.groups import DatasetConfig
from training.data.checks import inspect
from training.data.layouts import list_photos
from training.data.listing import Listing, below
from training.data.photos import Fingerprint, Photo, progress
from training.data.problems import Problem, refuse, summary
from training.tasks import Task

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dataset:
    """Usable photos, sorted by image id, and their fingerprints in the same order."""

    task: Task
    photos: list[Photo]
    fingerprints: list[Fingerprint]
    test_ids: frozenset[str]
    """Image ids of the own test folder; empty where there is none."""
    problems: list[Problem]
    table_sha256: str


def read_dataset(root: Path, config: DatasetConfig, task: Task | None = None) -> Dataset:
    """List, decode and check every photo; a progress bar runs where stderr is a terminal.

    Args:
        root: the data folder.
        config: what the data is, and whether problems stop the run.
        task: wins over `config.task`.

    Raises:
        DataProblemsError: something harmful was found and `config.problems` is `stop`; it names each file.
        DataError, ConfigurationError: as `list_photos`.
    """
    dataset = survey(root, config, task)
    if config.problems == "stop":
        refuse(dataset.problems, root)
    elif harmful := [problem for problem in dataset.problems if problem.harmful]:
        log.warning("%d problems, left out: %s; %d photos remain", len(harmful), summary(harmful), len(dataset.photos))
    return dataset


def survey(root: Path, config: DatasetConfig, task: Task | None = None) -> Dataset:
    """As `read_dataset`, but problems never stop it: what is unusable is left out and named in `problems`."""
    listing = list_photos(root, config, task)
    with warnings.catch_warnings(), ThreadPoolExecutor(processors()) as pool:  # Pillow decodes outside Python's lock
        warnings.filterwarnings("ignore", module="PIL")  # oddities of metadata; what cannot be decoded is a problem
        found = pool.map(lambda photo: inspect(photo, below(photo.path, root)), listing.photos)
        results = list(zip(listing.photos, progress(found, "Checking", len(listing.photos)), strict=True))
    usable = [(photo, each) for photo, each in results if isinstance(each, Fingerprint)]
    damaged = [each for _, each in results if isinstance(each, Problem)]
    alike, dropped = same_files(usable, listing, root)
    kept = [(photo, each) for photo, each in usable if photo.image_id not in dropped]
    photos = [photo for photo, _ in kept]
    empty = empty_classes(listing, [photo for photo in photos if photo.image_id not in listing.test_ids], "")
    if config.test_subfolder:
        tested = [photo for photo in photos if photo.image_id in listing.test_ids]
        empty += empty_classes(listing, tested, f"{config.test_subfolder}/")
    return Dataset(
        task=listing.task,
        photos=photos,
        fingerprints=[each for _, each in kept],
        test_ids=listing.test_ids & {photo.image_id for photo in photos},
        problems=sorted(listing.problems + damaged + alike + empty),
        table_sha256=listing.table_sha256,
    )


def same_files(
    photos: Sequence[tuple[Photo, Fingerprint]], listing: Listing, root: Path
) -> tuple[list[Problem], set[str]]:
    """Find files with the same bytes.

    Returns:
        Problems, and the image ids to leave out: all whose labels differ, and training copies of test photos.
    """
    test_ids = listing.test_ids
    of_hash: dict[str, list[Photo]] = defaultdict(list)
    for photo, fingerprint in photos:
        of_hash[fingerprint.sha256].append(photo)
    problems, dropped = [], set()
    for same in of_hash.values():
        first, *others = same
        labels = {photo.label for photo in same}
        for photo in others:
            where, other = below(photo.path, root), below(first.path, root)
            if len(labels) > 1:
                keys = " and ".join(listing.task.classes[label].key for label in sorted(labels))
                detail = f"the same file as {other}; labelled {keys}"
                advice = "Find out which label is right and remove the others"
                problems.append(Problem("same photo with different labels", where, detail, advice))
            elif {photo.image_id in test_ids for photo in same} == {True, False}:
                detail = f"the same file as {other}; one is a test photo"
                problems.append(Problem("test photo in the training set", where, detail, "Remove one of them"))
            else:
                detail = f"the same file as {other}"
                problems.append(Problem("same photo twice", where, detail, "Nothing need be done: they share a part"))
        if len(labels) > 1:
            dropped |= {photo.image_id for photo in same}
        elif any(photo.image_id in test_ids for photo in same):
            dropped |= {photo.image_id for photo in same if photo.image_id not in test_ids}
    return problems, dropped


def empty_classes(listing: Listing, photos: Sequence[Photo], place: str) -> list[Problem]:
    """A problem for each class of which none of these photos is; `place` stands before its key."""
    present = {photo.label for photo in photos}
    return [
        Problem("empty", f"{place}{info.key}", "no usable photo of this class", "Add some, or take the class out")
        for label, info in enumerate(listing.task.classes)
        if label not in present
    ]


def processors() -> int:
    """Processors that this process may use, at least 1."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
