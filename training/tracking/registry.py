"""The model registry: a member is the registered model `<task>-<member>`, its versions are trained-model folders.

Aliases: `candidate` is the newest version, `champion` the one that the gate let through last. No stages.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.errors import ModelFolderError, TrackingError
from training.folder import read_task
from training.tracking.gate import Champion, GateLine, failed, judged_photos, table
from training.tracking.store import Store, open_store
from training.transfer.checksums import manifest

CANDIDATE = "candidate"
CHAMPION = "champion"
ARTIFACTS = "member"
"""Folder of a run's artifacts that holds the trained-model folder."""
MODELS = Path("build") / "models"
FOLDER_HASH = "folder_sha256"
"""Tag of a version: sha256 of the lines `sha256  name` of its files."""


@dataclass(frozen=True)
class Version:
    """A registered version."""

    name: str
    number: int
    run_id: str


def registered_name(folder: Path) -> str:
    """`<task>-<member>`: the task of `classes.json` and the folder's name.

    Raises:
        ModelFolderError: `classes.json` is missing or breaks the schema.
    """
    return f"{read_task(folder).task}-{folder.resolve().name}"


def read_report(folder: Path) -> dict[str, Any]:
    """`report.json`.

    Raises:
        ModelFolderError: it is missing or no JSON object.
    """
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelFolderError(f"{folder / 'report.json'} cannot be read: {error}. Train the model again.") from error
    if not isinstance(report, dict):
        raise ModelFolderError(f"{folder / 'report.json'} is no JSON object. Train the model again.")
    return report


def hashes_of(folder: Path) -> dict[str, str]:
    """Hashes of split, table and photos and the commit, as `report.json` states them.

    Raises:
        ModelFolderError: the report is missing or damaged, or states none.
    """
    report = read_report(folder)
    try:
        return {
            "split_hash": str(report["split"]["hash"]),
            "table_sha256": str(report["data"]["table_sha256"]),
            "photos_sha256": str(report["data"]["photos_sha256"]),
            "git_commit": str(report["git_commit"]),
        }
    except (KeyError, TypeError) as error:
        raise ModelFolderError(
            f"{folder / 'report.json'} does not say what the model was trained on: {error} is missing. Train the model again."
        ) from error


def register(store: Store, folder: Path, run_id: str) -> Version:
    """Store a folder with its run, register it and give it the alias `candidate`.

    The same folder is registered once: a second time gives the version it has.

    Raises:
        TrackingError: the store refuses.
        ModelFolderError: the folder is not whole.
    """
    name, hashes = registered_name(folder), hashes_of(folder)
    known = registered(store, folder)
    tags = {
        FOLDER_HASH: _digest(folder),
        **{key: hashes[key] for key in ("split_hash", "photos_sha256", "git_commit")},
        "task": name.partition("-")[0],
        "member": name.partition("-")[2],
    }
    client = store.client
    with store.asked(f"register {name}"):
        if known is None:
            if not client.search_registered_models(filter_string=f"name = '{name}'"):
                client.create_registered_model(name, tags={key: tags[key] for key in ("task", "member")})
            client.log_artifacts(run_id, str(folder), ARTIFACTS)
            made = client.create_model_version(name, f"runs:/{run_id}/{ARTIFACTS}", run_id, tags=tags)
            known = Version(name, int(made.version), run_id)
        client.set_registered_model_alias(name, CANDIDATE, str(known.number))
    return known


def registered(store: Store, folder: Path) -> Version | None:
    """The version that holds exactly this folder's files; None where it was not registered.

    Raises:
        TrackingError: the store does not answer.
    """
    name, digest = registered_name(folder), _digest(folder)
    with store.asked(f"look {name} up"):
        found = store.client.search_model_versions(f"name = '{name}' and tag.{FOLDER_HASH} = '{digest}'")
    return Version(name, int(found[0].version), str(found[0].run_id)) if found else None


def _digest(folder: Path) -> str:
    return hashlib.sha256(manifest(folder).encode()).hexdigest()


def version_of(store: Store, name: str, alias: str) -> Version | None:
    """The version that has an alias; None where none has.

    Raises:
        TrackingError: the store does not answer.
    """
    with store.asked(f"look {name} up"):
        for model in store.client.search_registered_models(filter_string=f"name = '{name}'"):
            if alias in model.aliases:
                found = store.client.get_model_version_by_alias(name, alias)
                return Version(name, int(found.version), str(found.run_id))
    return None


def read_champion(store: Store, name: str) -> Champion | None:
    """The champion's predictions and classes; None where there is none.

    Raises:
        TrackingError: the store does not answer, or the champion's files are gone or damaged.
    """
    version = version_of(store, name, CHAMPION)
    if version is None:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with store.asked(f"give the files of {name} version {version.number}"):
            there = {Path(item.path).name for item in store.client.list_artifacts(version.run_id, ARTIFACTS)}
            for file in there & {"classes.json", "validation.npz", "test.npz"}:
                folder = Path(store.client.download_artifacts(version.run_id, f"{ARTIFACTS}/{file}", scratch)).parent
        try:
            _, predictions = judged_photos(folder)
            classes = [info.key for info in read_task(folder).classes]
        except ModelFolderError as error:
            said = str(error).replace(f"{scratch}/", "").removesuffix(" Train the model again.")
            raise TrackingError(
                f"The files of the champion {name} version {version.number} in MLflow at {store.address} are gone or damaged: "
                f"{said} Bring them back into the artifacts of run {version.run_id}, or delete the "
                f"alias {CHAMPION}; until then nothing can be compared with it."
            ) from error
        return Champion(name, version.number, classes, predictions)


def record(store: Store, version: Version, lines: list[GateLine]) -> bool:
    """Write down what the gate said and move `champion` where nothing failed; whether it moved.

    Raises:
        TrackingError: the store does not answer.
    """
    held = failed(lines)
    with store.asked(f"record the gate of {version.name}"):
        client, number = store.client, str(version.number)
        client.update_model_version(version.name, number, f"```\n{table(lines)}```")
        said = f"held back: {', '.join(line.name for line in held)}" if held else "passed"
        client.set_model_version_tag(version.name, number, "gate", said)
        if not held:
            client.set_registered_model_alias(version.name, CHAMPION, number)
    return not held


def said(version: Version, champion: bool, store: Store) -> str:
    """A line for people: which version there is now, and under which aliases."""
    aliases = f"{CANDIDATE} and {CHAMPION}" if champion else CANDIDATE
    return f"registered: {version.name} version {version.number}, {aliases}, in MLflow at {store.address}"


def model_folder(uri: str, tracking: str = "") -> Path:
    """A local trained-model folder for `models:/NAME@ALIAS` or `models:/NAME/VERSION`, downloaded once into build/models.

    Args:
        uri: the registered model; its folder is named as the member.
        tracking: as `training.tracking.store.open_store`.

    Raises:
        TrackingError: there is no such version, or its files are gone or damaged.
    """
    name, at, alias = uri.removeprefix("models:/").partition("@")
    name, number = (name, "") if at else (name.rpartition("/")[0], name.rpartition("/")[2])
    if not uri.startswith("models:/") or not name or not (alias or number.isdecimal()):
        raise TrackingError(
            f"{uri}: write models:/NAME@ALIAS or models:/NAME/VERSION, as models:/cassava-vit@champion."
        )
    store = open_store(tracking)
    if alias:
        found = version_of(store, name, alias)
        if found is None:
            raise TrackingError(f"{store.address} knows no {name} with the alias {alias}. {_known(store)}")
        version = found
    else:
        with store.asked(f"give {uri}. {_known(store)}"):
            asked = store.client.get_model_version(name, number)
            version = Version(name, int(asked.version), str(asked.run_id))
    folder = MODELS / f"{name}-{version.number}-{version.run_id[:8]}" / name.partition("-")[2]
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".partial-") as scratch:
            with store.asked(f"give the files of {name} version {version.number}"):
                found_at = Path(store.client.download_artifacts(version.run_id, ARTIFACTS, scratch))
                stated = store.client.get_model_version(name, str(version.number)).tags.get(FOLDER_HASH)
            if stated and _digest(found_at) != stated:
                raise TrackingError(
                    f"The files of {name} version {version.number} in MLflow at {store.address} are not those that were "
                    f"registered: bring them back into the artifacts of run {version.run_id}, or register the folder again."
                )
            shutil.move(found_at, folder)
    return folder


def _known(store: Store) -> str:
    with store.asked("list its models"):
        names = [model.name for model in store.client.search_registered_models(max_results=100)]
    return f"It knows {', '.join(names)}." if names else "It knows no model yet."
