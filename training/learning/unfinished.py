"""The folder of a run under way: what it is, its latest checkpoint, and the member as far as it is written.

::

    <out>.partial/
        run.json      configuration and hashes of the data: what a resumed run must agree with
        split.csv     the split
        last.ckpt     everything needed to go on after the latest whole epoch
        best.ckpt     weights of the best epoch, where `schedule.keep` is best
        tracking.json kept by `training.tracking`
        member/       the trained-model folder, renamed to <out> when it is whole
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from types import TracebackType
from typing import Any, TextIO

import torch

from training.config.groups import TrainingConfig
from training.errors import ModelFolderError, UnfinishedError
from training.writing import writing

CHECKPOINT = "last.ckpt"
BEST = "best.ckpt"
PROBLEMS = "data_problems.csv"

FREE = {"tracking", "evaluation", "gate", "search"}
"""Groups that may differ in a resumed run, as threads and the limit of minutes may: they change nothing that is learned."""


class Unfinished:
    """`<out>.partial`, made and held by the `with` block.

    Args:
        out: folder that the run writes in the end.
        overwrite: whether an existing one is replaced.
        shared: this process is one of several of the same run (DDP) and not the one that writes.

    Raises:
        ModelFolderError: `out` exists, or nothing can be written there.
        UnfinishedError: another process is training there.
    """

    def __init__(self, out: Path, overwrite: bool = False, shared: bool = False) -> None:
        self.out = out
        self.folder = out.with_name(f"{out.name}.partial")
        if out.exists() and not overwrite:
            raise ModelFolderError(f"{out} exists: name another --out, or replace it with --overwrite true.")
        self._shared = shared
        self._lock: TextIO | None = None

    def __enter__(self) -> Unfinished:
        with writing(self.out):
            self.folder.mkdir(parents=True, exist_ok=True)
            if not self._shared:
                self._lock = (self.folder / "lock").open("w")
        if self._lock is not None:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                self._lock.close()
                raise UnfinishedError(
                    f"{self.out} is being trained by another process: wait, or name another --out."
                ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go; what failed before its first checkpoint leaves nothing but a list of problems."""
        if self._lock is not None:
            if kind is not None and not (self.folder / CHECKPOINT).is_file():
                self._forget()
            self._lock.close()

    def _forget(self) -> None:
        for path in self.folder.glob("*"):
            if path.name != PROBLEMS and path.is_file():
                path.unlink()
        if not (self.folder / PROBLEMS).is_file():
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def member(self) -> Path:
        """Where the trained-model folder is put together."""
        return self.folder / "member"

    def begin(self, config: TrainingConfig, hashes: dict[str, str]) -> None:
        """Note what this run is, or check that it is the one that was interrupted.

        Raises:
            UnfinishedError: it is another one; says in what they differ. Or the note is damaged.
            ModelFolderError: it cannot be written.
        """
        note = self.folder / "run.json"
        now = {
            "configuration": config.model_dump(
                mode="json", exclude=dict.fromkeys(FREE, True) | {"hardware": {"threads"}, "schedule": {"max_minutes"}}
            ),
            "data": hashes,
        }
        if not (note.is_file() and (self.folder / CHECKPOINT).is_file()):  # nothing is learned yet
            with writing(note):
                _write(note, json.dumps(now, indent=2).encode())
            return
        try:
            before = json.loads(note.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise self._damaged(note, error) from error
        if differences := _differences(before, now):
            raise UnfinishedError(
                f"{self.folder} holds an unfinished run that differs: {'; '.join(differences)}. Run it as it was, delete "
                "the folder, or name another --out."
            )

    def check_shared(self, broadcast: Callable[[Any], Any]) -> None:
        """Check that every process of the run sees the folder that the first one writes.

        Args:
            broadcast: gives each process what the first one gave.

        Raises:
            UnfinishedError: this one does not, as on another machine with a disk of its own.
        """
        seen = {path.name: path.stat().st_size for path in self.folder.glob("*.*") if path.suffix in {".json", ".ckpt"}}
        if seen != broadcast(seen):
            raise UnfinishedError(
                f"{self.folder} is not the folder that the run's first process writes: give --out a folder that all machines "
                "share."
            )

    def save(self, name: str, content: dict[str, Any]) -> None:
        """Write a checkpoint; whoever reads finds the old or the new one, never half of one.

        Raises:
            ModelFolderError: it cannot be written, as on a full disk; the old one stays.
        """
        scratch = self.folder / f".{name}"
        with writing(self.folder / name):
            try:
                with scratch.open("wb") as file:
                    torch.save(content, file)
                    file.flush()
                    os.fsync(file.fileno())
                scratch.replace(self.folder / name)
            except BaseException:
                scratch.unlink(missing_ok=True)
                raise

    def load(self, name: str) -> dict[str, Any] | None:
        """Read a checkpoint of this very run; None where there is none yet.

        Raises:
            UnfinishedError: it is damaged.
        """
        path = self.folder / name
        if not path.is_file():
            return None
        try:
            content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, KeyError, UnpicklingError) as error:
            raise self._damaged(path, error) from error
        return content

    def _damaged(self, path: Path, error: Exception) -> UnfinishedError:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        return UnfinishedError(f"{path} is damaged: {first}. Delete {self.folder} to begin anew.")

    def finish(self) -> None:
        """Give the member its final name and remove the rest.

        Raises:
            ModelFolderError: it cannot be renamed.
        """
        try:
            if self.out.exists():
                replaced = self.folder / "replaced"
                shutil.rmtree(replaced, ignore_errors=True)
                self.out.rename(replaced)
            self.member.rename(self.out)
        except OSError as error:
            raise ModelFolderError(f"{self.member} cannot be renamed to {self.out}: {error}.") from error
        shutil.rmtree(self.folder)


def _differences(before: dict[str, Any], now: dict[str, Any], path: str = "") -> list[str]:
    found = []
    for key in sorted(before.keys() | now.keys()):
        place = f"{path}{key}"
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found += _differences(old, new, "" if place == "configuration" else f"{place}.")
        elif old != new:
            found.append(f"{place} was {old}, is {new}")
    return found


def _write(path: Path, content: bytes) -> None:
    scratch = path.with_name(f".{path.name}")
    scratch.write_bytes(content)
    scratch.replace(path)
