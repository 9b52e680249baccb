"""The members that passed training's gate, from the MLflow registry: what `make export` takes where none are named.

A member is the registered model `<task>-<member>`; the alias `champion` is the version that the gate let through last. Of
it this room reads the artifacts, which are the trained-model folder, and the tags `split_hash` and `folder_sha256`.
"""

import hashlib
import logging
import os
import re
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.errors import ChampionError

ALIAS = "champion"
DEFAULT = Path("build") / "mlflow" / "mlflow.db"
SQLITE = "sqlite:///"
_LIMITS = {  # MLflow waits 120 s, eight times over
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
_SECRET = re.compile(r"(?<=://)[^/@\s]+@")


@dataclass(frozen=True)
class Champion:
    """A registered version that passed the gate."""

    task: str
    member: str
    number: int
    run_id: str
    source: str
    """URI of its artifacts."""
    created: int
    """Milliseconds since 1970."""
    split_hash: str
    folder_sha256: str

    def said(self) -> dict[str, Any]:
        """As the release's report names it; without the address, which may be one of this machine."""
        return {"model": f"{self.task}-{self.member}", "version": self.number, "run": self.run_id}


def fetch(out: Path, task: str | None, tracking: str, progress: Callable[[str], None]) -> dict[Path, Champion]:
    """Download the champions of a task, each into a folder named as the member.

    Args:
        out: where the folders go; none of them may be there yet.
        task: key of the task; None: the one whose champion was registered last.
        tracking: `sqlite:///FILE` or `http(s)://...`; empty: MLFLOW_TRACKING_URI, else `build/mlflow/mlflow.db`.
        progress: told which versions are taken, and which are left out as they were tested on other photos.

    Returns:
        The folders, sorted by name, and which version lies in each.

    Raises:
        ChampionError: MLflow is not installed or does not answer, nothing has passed its gate, or a folder is there or
            not what was registered.
    """
    address, shown = _address(tracking)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ChampionError(f"{out} cannot be made: {error}. Give --out a folder you may write to.") from error
    with _asked(shown):
        client = _client(address)
        members = _choose(_champions(client), task, shown, progress)
        for champion in members:
            folder = out / champion.member
            if folder.exists():
                raise ChampionError(f"{folder} exists: give --out a folder without it.")
            progress(f"{champion.task}-{champion.member}: version {champion.number}, {ALIAS}, from {shown}")
            _download(client, champion, folder)
    return {out / champion.member: champion for champion in members}


def _address(tracking: str) -> tuple[str, str]:
    """The address for MLflow, and as it may be shown."""
    address = tracking or os.environ.get("MLFLOW_TRACKING_URI", "") or f"{SQLITE}{DEFAULT}"
    if not address.startswith(SQLITE):
        return address, _SECRET.sub("", address)
    file = Path(address.removeprefix(SQLITE)).resolve()
    if not file.is_file():
        raise ChampionError(
            f"{file} does not exist, so no member has been registered: train one (`make train`), or name the folders "
            "with --members."
        )
    return f"{SQLITE}{file}", str(file)


def _client(address: str) -> Any:
    for name, value in _LIMITS.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow import MlflowClient
    except ModuleNotFoundError as error:
        raise ChampionError(
            "MLflow, which knows the champions, is not installed here: install requirements/training.txt, or name the "
            "folders with --members."
        ) from error
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return MlflowClient(address, registry_uri=address)


@contextmanager
def _asked(shown: str) -> Iterator[None]:
    """MLflow's errors have several bases, and its libraries theirs: whatever fails here is said in one sentence."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # between MLflow and its libraries
            yield
    except ChampionError:
        raise
    except Exception as error:
        said = " ".join(_SECRET.sub("", str(error)).split())[:300]
        raise ChampionError(f"MLflow at {shown}: {said}. Check --tracking, or name folders with --members.") from error


def _champions(client: Any) -> list[Champion]:
    found, page = [], None
    while True:
        models = client.search_registered_models(page_token=page)
        for model in models:
            task, dash, member = model.name.partition("-")
            if dash and ALIAS in model.aliases:
                version = client.get_model_version_by_alias(model.name, ALIAS)
                found.append(
                    Champion(
                        task=task,
                        member=member,
                        number=int(version.version),
                        run_id=str(version.run_id),
                        source=str(version.source),
                        created=int(version.creation_timestamp),
                        split_hash=version.tags.get("split_hash", ""),
                        folder_sha256=version.tags.get("folder_sha256", ""),
                    )
                )
        page = models.token
        if not page:
            return found


def _choose(champions: list[Champion], task: str | None, shown: str, progress: Callable[[str], None]) -> list[Champion]:
    """The champions of the task that were tested on the photos of the newest of them."""
    of_task = [champion for champion in champions if task in (None, champion.task)]
    if not of_task:
        which = f"No member of {task}" if task else "No member"
        tasks = ", ".join(sorted({champion.task for champion in champions}))
        others = f" There are champions of {tasks}." if tasks else ""
        raise ChampionError(
            f"{which} at {shown} has passed its gate.{others} Train one (`make train`; `python -m training gate` says what "
            "holds it back), or name the folders with --members."
        )
    newest = max(of_task, key=lambda champion: champion.created)
    chosen = []
    for champion in sorted(of_task, key=lambda champion: champion.member):
        if champion.task != newest.task:
            continue
        if champion.split_hash == newest.split_hash:
            chosen.append(champion)
        else:
            progress(
                f"{champion.task}-{champion.member} version {champion.number} is left out: it was tested on other photos "
                f"than {newest.member}, the newest; train it again on the same data"
            )
    return chosen


def _download(client: Any, champion: Champion, folder: Path) -> None:
    """Download one folder; it appears whole, and only as it was registered."""
    path = champion.source.removeprefix(f"runs:/{champion.run_id}/")
    scratch = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        found = Path(client.download_artifacts(champion.run_id, path, str(scratch)))
        if champion.folder_sha256 and _folder_sha256(found) != champion.folder_sha256:
            raise ChampionError(
                f"The files of {champion.task}-{champion.member} version {champion.number} are not those that were "
                "registered: train it again."
            )
        found.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _folder_sha256(folder: Path) -> str:
    """sha256 over the lines `sha256  name` of all files, sorted by name, as `sha256sum` writes them."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    lines = []
    for name in names:
        with (folder / name).open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {name}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()
