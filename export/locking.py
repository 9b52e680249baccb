"""One export at a time writes into a repository, and what a killed one left aside is swept away."""

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = ".export.lock"
ASIDE = ".release-"


@contextmanager
def writing(repository: Path, progress: Callable[[str], None]) -> Iterator[None]:
    """Hold the repository; waits for another export. The system frees it when a process dies, however it dies."""
    repository.mkdir(parents=True, exist_ok=True)
    with (repository / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"another export writes into {repository}: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        sweep(repository)
        yield


def sweep(repository: Path) -> None:
    """Remove what an export that was killed left: folders written aside, and halves of files."""
    for folder in repository.glob(f"{ASIDE}*"):
        shutil.rmtree(folder)
    for pattern in (
        "..*.new",
        "*/.*.new",
    ):  # of hidden files of the repository itself; of others there the gateway writes
        for file in repository.glob(pattern):
            file.unlink()
    for file in repository.glob("*/*/.*.new"):
        file.unlink()
