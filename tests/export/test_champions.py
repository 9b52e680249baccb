"""The members that passed training's gate, from a real SQLite MLflow: `export champions`, and `release` without members."""

import hashlib
import json
import logging
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import ROOT

from export.__main__ import main

Register = Callable[..., None]


class Registry:
    """An MLflow store, filled as contract 1 says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from mlflow import MlflowClient

            for name in ("mlflow", "alembic"):
                logging.getLogger(name).setLevel(logging.WARNING)
            self.address = f"sqlite:///{folder / 'mlflow.db'}"
            self.client = MlflowClient(self.address, registry_uri=self.address)
            self.experiment = self.client.create_experiment(
                "members", artifact_location=(folder / "artifacts").as_uri()
            )

    def register(self, folder: Path, task: str, champion: bool = True, split: str = "abc") -> None:
        """A new version of `<task>-<folder's name>`."""
        files = sorted(path.name for path in folder.iterdir())
        lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in files]
        digest = hashlib.sha256("".join(lines).encode()).hexdigest()
        run = self.client.create_run(self.experiment).info.run_id
        self.client.log_artifacts(run, str(folder), "member")
        name = f"{task}-{folder.name}"
        if not self.client.search_registered_models(filter_string=f"name = '{name}'"):
            self.client.create_registered_model(name)
        tags = {"split_hash": split, "folder_sha256": digest}
        version = self.client.create_model_version(name, f"runs:/{run}/member", run, tags=tags).version
        self.client.set_registered_model_alias(name, "candidate", version)
        if champion:
            self.client.set_registered_model_alias(name, "champion", version)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """One store for all tests, as the first migration takes two seconds; tests keep apart by their tasks."""
    return Registry(tmp_path_factory.mktemp("mlflow"))


@pytest.fixture
def member(tmp_path: Path) -> Callable[[str, str], Path]:
    """Makes a folder of that name with that content."""

    def make(name: str, content: str) -> Path:
        folder = tmp_path / content / name
        folder.mkdir(parents=True)
        for file in ("config.json", "model.safetensors", "classes.json"):
            (folder / file).write_text(f"{file} {content}")
        return folder

    return make


def champions(registry: Registry, out: Path, *more: str) -> int:
    return main(["champions", "--out", str(out), "--tracking", registry.address, *more])


def said(folder: Path) -> str:
    return (folder / "model.safetensors").read_text()


def test_each_member_is_the_version_that_passed_last(
    registry: Registry, member: Callable[[str, str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.register(member("cnn", "first"), "beans")
    registry.register(member("cnn", "second"), "beans")
    registry.register(member("cnn", "held back"), "beans", champion=False)
    registry.register(member("vit", "first"), "beans")
    registry.register(member("mlp", "held back"), "beans", champion=False)
    assert champions(registry, tmp_path / "out", "--task", "beans") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["cnn", "vit"]
    assert said(tmp_path / "out" / "cnn") == "model.safetensors second"
    told = capsys.readouterr()
    assert told.out.splitlines() == [str(tmp_path / "out" / "cnn"), str(tmp_path / "out" / "vit")]
    assert "beans-cnn: version 2, champion" in told.err
    assert champions(registry, tmp_path / "out", "--task", "beans") == 1
    assert "cnn exists: give --out a folder without it" in capsys.readouterr().err


def test_the_task_trained_last_is_taken_where_none_is_named(
    registry: Registry, member: Callable[[str, str], Path], tmp_path: Path
) -> None:
    registry.register(member("older", "a"), "rice")
    registry.register(member("newer", "a"), "wheat")
    registry.register(member("newest", "a"), "maize", champion=False)
    assert champions(registry, tmp_path / "out") == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["newer"]


def test_members_tested_on_other_photos_are_left_out_and_named(
    registry: Registry, member: Callable[[str, str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.register(member("stale", "a"), "figs", split="of last year")
    registry.register(member("fresh", "a"), "figs")
    assert champions(registry, tmp_path / "out", "--task", "figs") == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["fresh"]
    assert "figs-stale version 1 is left out: it was tested on other photos than fresh" in capsys.readouterr().err


def test_files_that_changed_in_the_store_are_refused(
    registry: Registry, member: Callable[[str, str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.register(member("net", "honest"), "oats")
    for file in registry.folder.rglob("artifacts/**/model.safetensors"):
        if "honest" in file.read_text():
            file.write_text("swapped")
    assert champions(registry, tmp_path / "out", "--task", "oats") == 1
    assert "oats-net version 1 are not those that were registered" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


def test_no_champion_is_a_sentence(registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert champions(registry, tmp_path / "out", "--task", "nothing") == 1
    assert "No member of nothing at" in capsys.readouterr().err
    assert main(["champions", "--out", str(tmp_path), "--tracking", f"sqlite:///{tmp_path / 'no.db'}"]) == 1
    assert "so no member has been registered: train one (`make train`)" in capsys.readouterr().err
    assert not (tmp_path / "no.db").exists()


def test_a_server_that_is_not_there_is_said_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    address = "http://somebody:hidden-word@127.0.0.1:9"
    assert main(["champions", "--out", str(tmp_path), "--tracking", address]) == 1
    told = capsys.readouterr().err
    assert "MLflow at http://127.0.0.1:9: " in told
    assert "hidden-word" not in told


def test_without_mlflow_the_rest_works_and_this_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").touch()
    hidden = "import sys; sys.modules['mlflow'] = None; from export.__main__ import main; sys.exit(main(sys.argv[1:]))"
    command = ["champions", "--out", str(tmp_path / "out"), "--tracking", f"sqlite:///{tmp_path / 'mlflow.db'}"]
    done = subprocess.run(
        [sys.executable, "-c", hidden, *command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "MLflow, which knows the champions, is not installed here" in done.stderr


def test_a_release_without_named_members_is_made_of_the_champions(
    registry: Registry, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "small_vit"
    shutil.copytree(trained / "small_vit", folder)
    registry.register(folder, "cassava")
    repository = tmp_path / "repository"
    arguments = ["--repository", str(repository), "--tracking", registry.address, "--check-photos", "1"]
    arguments += ["--latency-seconds", "0"]
    assert main(["release", *arguments]) == 0
    assert (repository / "leaf_ensemble_1").is_dir()
    assert (repository / "small_vit" / "1" / "model.onnx").is_file()
    told = capsys.readouterr()
    report = json.loads((repository / "leaf_ensemble_1" / "report.json").read_text())
    registered = report["members"]["small_vit"]["registered"]
    run = registry.client.get_model_version("cassava-small_vit", "1").run_id
    assert registered == {"model": "cassava-small_vit", "version": 1, "run": run}
    assert f"From the registry: cassava-small_vit version 1 (run {run})." in told.out
    assert "cassava-small_vit: version 1, champion" in told.err
    assert told.out.startswith("### Release 1 of cassava")
    assert told.out.endswith(f"make serve REPOSITORY={repository}\n")
