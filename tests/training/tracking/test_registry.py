"""`python -m training gate`: versions, aliases and runs in a real SQLite store."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest
from made_members import make_member

from training.__main__ import main
from training.errors import TrackingError
from training.tracking.registry import model_folder
from training.tracking.store import Store


def gate(folder: Path, tracking: str, *more: str) -> int:
    return main(["gate", "--model", str(folder), "--tracking.mlflow", tracking, *more])


def aliases(store: Store, name: str) -> dict[str, int]:
    return {alias: int(number) for alias, number in store.client.get_registered_model(name).aliases.items()}


def test_the_first_good_member_becomes_candidate_and_champion(
    tmp_path: Path, tracking: str, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_member(tmp_path / "net", task="first")
    assert gate(folder, tracking) == 0
    assert aliases(store, "first-net") == {"candidate": 1, "champion": 1}
    said = capsys.readouterr().out
    assert "registered: first-net version 1, candidate and champion" in said
    assert "champion: there is none yet" in said
    version = store.client.get_model_version_by_alias("first-net", "champion")
    assert version.tags["split_hash"] == "split-120"
    assert version.tags["git_commit"] == "c" * 40
    assert version.tags["photos_sha256"] == "b" * 64
    assert version.tags["gate"] == "passed"
    assert version.current_stage in (None, "None")


def test_the_run_holds_parameters_curves_and_the_whole_folder(tmp_path: Path, tracking: str, store: Store) -> None:
    folder = make_member(tmp_path / "net", task="recorded")
    assert gate(folder, tracking) == 0
    run_id = store.client.get_model_version_by_alias("recorded-net", "candidate").run_id
    run = store.client.get_run(run_id)
    assert run.data.params["schedule.learning_rate"] == "0.001"
    assert run.data.tags["mlflow.source.git.commit"] == "c" * 40
    assert run.data.tags["table_sha256"] == "a" * 64
    assert run.info.status == "FINISHED"
    curve = store.client.get_metric_history(run_id, "validation_f1_macro")
    assert [(point.step, point.value) for point in curve] == [(1, 0.4), (2, 0.8)]
    assert run.data.metrics["test/recall/rust"] == 0.5
    kept = {item.path for item in store.client.list_artifacts(run_id, "member")}
    assert kept == {f"member/{file.name}" for file in folder.iterdir()}


def test_a_worse_member_is_registered_but_the_champion_stays(
    tmp_path: Path, tracking: str, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gate(make_member(tmp_path / "a" / "net", 0.99, task="held"), tracking) == 0
    assert gate(make_member(tmp_path / "b" / "net", 0.88, task="held"), tracking) == 3
    assert aliases(store, "held-net") == {"candidate": 2, "champion": 1}
    told = capsys.readouterr()
    assert "FAIL  F1 (macro) against champion held-net version 1" in told.out
    assert "held back by champion" in told.err
    assert "held back: champion" in store.client.get_model_version("held-net", "2").tags["gate"]
    assert gate(make_member(tmp_path / "c" / "net", 1.0, task="held"), tracking) == 0
    assert aliases(store, "held-net") == {"candidate": 3, "champion": 3}


def test_without_the_registry_it_is_judged_against_the_champion_and_no_more(
    tmp_path: Path, tracking: str, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gate(make_member(tmp_path / "a" / "net", 0.99, task="asked"), tracking) == 0
    assert gate(make_member(tmp_path / "b" / "net", 0.88, task="asked"), tracking, "--tracking.registry", "false") == 3
    assert "held back by champion" in capsys.readouterr().err
    assert aliases(store, "asked-net") == {"candidate": 1, "champion": 1}


def test_the_same_folder_is_registered_once_and_bars_can_be_given_anew(
    tmp_path: Path, tracking: str, store: Store
) -> None:
    folder = make_member(tmp_path / "net", 0.7, task="twice", bars={"f1_macro": 0.6})
    assert gate(folder, tracking) == 3, "accuracy 0.7 is below the default bar"
    assert "champion" not in aliases(store, "twice-net")
    assert gate(folder, tracking, "--gate.accuracy_micro", "0.6") == 0
    assert aliases(store, "twice-net") == {"candidate": 1, "champion": 1}


def test_a_downloaded_champion_is_the_folder_that_was_registered(
    tmp_path: Path, tracking: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = make_member(tmp_path / "net", task="fetched")
    assert gate(folder, tracking) == 0
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    shutil.rmtree(folder)
    for address in ("models:/fetched-net@champion", "models:/fetched-net/1"):
        found = model_folder(address, tracking)
        assert found.name == "net"
        assert {file.name: file.read_bytes() for file in found.iterdir()} == files


def artifact(store: Store, name: str, alias: str, file: str) -> Path:
    """Where the store keeps a file of a registered member."""
    run = store.client.get_run(store.client.get_model_version_by_alias(name, alias).run_id)
    return Path(run.info.artifact_uri.removeprefix("file://")) / "member" / file


@pytest.mark.parametrize(
    ("file", "damage"),
    [("test.npz", b"PK\x03\x04 not an archive"), ("classes.json", b"{"), ("validation.npz", None)],
    ids=["test", "classes", "gone"],
)
def test_a_champion_whose_files_are_damaged_is_named(
    tmp_path: Path,
    tracking: str,
    store: Store,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    damage: bytes | None,
) -> None:
    monkeypatch.chdir(tmp_path)
    task = f"damaged_{file.partition('.')[0]}"
    assert gate(make_member(tmp_path / "a" / "net", task=task), tracking) == 0
    kept = artifact(store, f"{task}-net", "champion", file)
    kept.unlink() if damage is None else kept.write_bytes(damage)
    assert gate(make_member(tmp_path / "b" / "net", 1.0, task=task), tracking) == 2
    told = capsys.readouterr().err
    assert f"The files of the champion {task}-net version 1 in MLflow at" in told
    assert f"{file} " in told
    assert "delete the alias champion" in told
    assert aliases(store, f"{task}-net") == {"candidate": 2, "champion": 1}
    for _ in range(2):
        with pytest.raises(TrackingError, match=f"{task}-net version 1 .* are not those that were registered"):
            model_folder(f"models:/{task}-net@champion", tracking)


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("report.json", "{"),
        ("report.json", '{"configuration": {}}'),
        ("report.json", '{"configuration": []}'),
        ("history.json", '["spoiled"]'),
        ("classes.json", "\udcff\udcfe"),
        ("test.npz", "spoiled"),
        ("validation.npz", "spoiled"),
    ],
)
def test_a_damaged_folder_is_named_and_becomes_no_candidate(
    tmp_path: Path, tracking: str, store: Store, capsys: pytest.CaptureFixture[str], file: str, damage: str
) -> None:
    folder = make_member(tmp_path / "net", task="broken")
    (folder / file).write_text(damage, errors="surrogateescape")
    assert gate(folder, tracking) == 2
    assert str(folder / file) in capsys.readouterr().err
    assert not store.client.search_registered_models(filter_string="name = 'broken-net'")


@pytest.mark.parametrize("address", ["models:/nobody@champion", "models:/nobody/7", "models:/nobody", "net@champion"])
def test_an_unknown_model_is_refused_in_a_sentence(address: str, tracking: str) -> None:
    with pytest.raises(TrackingError, match=r"knows no|did not give|write models:/"):
        model_folder(address, tracking)


def test_tracking_off_judges_and_registers_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gate(make_member(tmp_path / "net", 0.5), "off") == 3
    told = capsys.readouterr()
    assert "registered" not in told.out
    assert "held back by accuracy_micro, f1_macro" in told.err


def test_a_server_that_is_not_there_is_an_error_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    assert gate(make_member(tmp_path / "net"), f"http://somebody:hidden-word@127.0.0.1:{port}") == 2
    told = capsys.readouterr()
    assert f"MLflow at http://127.0.0.1:{port} did not answer" in told.err
    assert "hidden-word" not in told.err + told.out


def test_a_wrong_address_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gate(make_member(tmp_path / "net"), "ftp://somewhere") == 2
    assert "give sqlite:///FILE, http(s)://SERVER, or off" in capsys.readouterr().err
