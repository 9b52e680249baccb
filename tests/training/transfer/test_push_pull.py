"""A folder that was pushed comes back whole, or not at all."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest
from made_members import make_member
from transfer_servers import FileServer

from training.__main__ import main

Contents = dict[str, bytes]


def contents(folder: Path) -> Contents:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def push(folder: Path, uri: str) -> int:
    return main(["push", "--model", str(folder), "--to", uri])


def pull(uri: str, folder: Path) -> int:
    return main(["pull", "--from", uri, "--out", str(folder)])


@pytest.fixture(params=["s3", "https"])
def place(request: pytest.FixtureRequest) -> tuple[str, Callable[[str, bytes | None], None]]:
    """An address, and a way to replace (or with None to remove) a file there behind the room's back."""
    if request.param == "https":
        web: FileServer = request.getfixturevalue("web")

        def change(name: str, content: bytes | None) -> None:
            file = web.root / "nets" / "one" / name
            file.unlink() if content is None else file.write_bytes(content)

        return f"{web.url}/nets/one", change
    request.getfixturevalue("bucket")
    prefix = f"nets/{request.node.name}"
    objects = boto3.resource("s3").Bucket("members")

    def change_object(name: str, content: bytes | None) -> None:
        key = objects.Object(f"{prefix}/{name}")
        key.delete() if content is None else key.put(Body=content)

    return f"s3://members/{prefix}", change_object


def test_there_and_back(tmp_path: Path, place: tuple[str, object], capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_member(tmp_path / "net")
    (folder / "pages").mkdir()
    (folder / "pages" / "a page.html").write_text("<p>")
    before = contents(folder)
    assert push(folder, place[0]) == 0
    assert f"pull --from {place[0]} --out net" in capsys.readouterr().out
    assert contents(folder) == before
    assert pull(place[0], tmp_path / "back") == 0
    assert contents(tmp_path / "back") == before
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_what_was_damaged_on_the_way_does_not_come_back(
    tmp_path: Path, place: tuple[str, Callable[[str, bytes | None], None]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_member(tmp_path / "net")
    assert push(folder, place[0]) == 0
    place[1]("model.safetensors", b"other weights")
    assert pull(place[0], tmp_path / "back") == 2
    assert "model.safetensors" in (told := capsys.readouterr().err)
    assert "not what SHA256SUMS says: pull again" in told
    assert not (tmp_path / "back").exists()
    place[1]("model.safetensors", (folder / "model.safetensors").read_bytes())
    assert pull(place[0], tmp_path / "back") == 0
    assert contents(tmp_path / "back") == contents(folder)


def test_a_file_that_is_gone_is_named(
    tmp_path: Path, place: tuple[str, Callable[[str, bytes | None], None]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert push(make_member(tmp_path / "net"), place[0]) == 0
    place[1]("test.npz", None)
    assert pull(place[0], tmp_path / "back") == 2
    assert "test.npz is not there" in capsys.readouterr().err
    assert not (tmp_path / "back").exists()


def test_a_place_without_sums_holds_no_folder(
    tmp_path: Path, place: tuple[str, Callable[[str, bytes | None], None]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert push(make_member(tmp_path / "net"), place[0]) == 0
    place[1]("SHA256SUMS", None)
    assert pull(place[0], tmp_path / "back") == 2
    assert "holds no SHA256SUMS, so no folder was pushed there" in capsys.readouterr().err


def test_a_push_that_breaks_off_leaves_nothing_that_looks_whole(
    tmp_path: Path, web: FileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = f"{web.url}/one"
    assert push(make_member(tmp_path / "a" / "net", 0.9), uri) == 0
    (web.root / "refused").write_text("test.npz")
    assert push(make_member(tmp_path / "b" / "net", 0.8), uri) == 2
    assert "answers 507" in capsys.readouterr().err
    assert pull(uri, tmp_path / "back") == 2
    assert "SHA256SUMS of" in (told := capsys.readouterr().err)
    assert "is empty: push the folder again" in told
    (web.root / "refused").unlink()
    assert push(tmp_path / "b" / "net", uri) == 0
    assert pull(uri, tmp_path / "back") == 0


def test_a_pull_that_broke_off_goes_on_where_it_stopped(tmp_path: Path, web: FileServer) -> None:
    folder = make_member(tmp_path / "net")
    (folder / "model.safetensors").write_bytes(bytes(range(256)) * 1000)
    assert push(folder, f"{web.url}/one") == 0
    assert pull(f"{web.url}/breaking/100000/one", tmp_path / "back") == 0
    assert contents(tmp_path / "back") == contents(folder)
    asked = [line.split()[2] for line in web.requests if line.startswith("GET") and "model.safetensors" in line]
    assert asked == ["0", "100000", "200000"]


def test_files_that_arrived_are_not_fetched_again(tmp_path: Path, web: FileServer) -> None:
    folder = make_member(tmp_path / "net")
    assert push(folder, f"{web.url}/one") == 0
    (web.root / "one" / "test.npz").rename(tmp_path / "kept")
    assert pull(f"{web.url}/one", tmp_path / "back") == 2
    (tmp_path / "kept").rename(web.root / "one" / "test.npz")
    (tmp_path / ".back.partial" / "left-over").write_text("of another attempt")
    assert pull(f"{web.url}/one", tmp_path / "back") == 0
    assert contents(tmp_path / "back") == contents(folder)
    assert len([line for line in web.requests if line.startswith("GET") and "model.safetensors" in line]) == 1


@pytest.mark.parametrize("name", ["../../stolen", "/etc/stolen", "..\\stolen"])
def test_names_that_lead_outside_are_refused(
    tmp_path: Path, web: FileServer, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (web.root / "SHA256SUMS").write_text(f"{'0' * 64}  {name}\n")
    assert pull(web.url, tmp_path / "inner" / "back") == 2
    assert "outside the folder: do not trust that place" in capsys.readouterr().err
    assert not list(tmp_path.rglob("stolen"))


def test_private_places_want_a_token_which_is_never_shown(
    tmp_path: Path, web: FileServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, uri = make_member(tmp_path / "net"), f"{web.url}/private/one"
    monkeypatch.setenv("TRAINING_HTTP_TOKEN", "wrong-sesame")
    assert push(folder, uri) == 2
    told = capsys.readouterr()
    assert "answers 401: set TRAINING_HTTP_TOKEN" in told.err
    assert "wrong-sesame" not in told.out + told.err
    monkeypatch.setenv("TRAINING_HTTP_TOKEN", "sesame")
    assert push(folder, uri) == 0
    assert pull(uri, tmp_path / "back") == 0
    assert push(folder, "http://192.0.2.1/one") == 2, "unencrypted to another machine"
    assert "is not encrypted: use https://" in capsys.readouterr().err


def test_wrong_s3_credentials_or_bucket_are_one_sentence_without_them(
    tmp_path: Path, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert push(make_member(tmp_path / "net"), "s3://nobodys-bucket/net") == 2
    told = capsys.readouterr()
    assert "s3://nobodys-bucket/net: The specified bucket does not exist" in told.err
    assert "hidden-word" not in told.out + told.err
    assert pull("s3://members/never-pushed", tmp_path / "back") == 2
    assert "no folder was pushed there" in capsys.readouterr().err


def test_a_machine_that_is_not_there_is_said_without_its_password(
    tmp_path: Path, web: FileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    address = web.url.replace("http://", "http://somebody:hidden-word@").replace("127.0.0.1:", "127.0.0.1:1")[:-4]
    assert push(make_member(tmp_path / "net"), f"{address}/one?signature=hidden-word") == 2
    told = capsys.readouterr()
    assert "error: http://127.0.0.1" in told.err
    assert "hidden-word" not in told.out + told.err


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("ftp://machine/one", "write s3://BUCKET/PREFIX, https://MACHINE/PATH or hf://OWNER/NAME"),
        ("s3://bucket", "write s3://BUCKET/PREFIX, so that"),
        ("https://", "is no address"),
        ("hf://just-a-name", "write hf://OWNER/NAME"),
    ],
)
def test_unusable_addresses(tmp_path: Path, uri: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert push(make_member(tmp_path / "net"), uri) == 2
    assert said in capsys.readouterr().err


def test_half_a_folder_is_not_pushed_and_a_folder_is_not_overwritten(
    tmp_path: Path, web: FileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_member(tmp_path / "net")
    assert push(folder, f"{web.url}/one") == 0
    assert pull(f"{web.url}/one", folder) == 2
    assert "exists: give --out another name" in capsys.readouterr().err
    (folder / "validation.npz").unlink()
    assert push(folder, f"{web.url}/two") == 2
    assert "lacks validation.npz" in capsys.readouterr().err
    assert not (web.root / "two").exists()


def test_anybody_can_check_a_pushed_folder_with_sha256sum(tmp_path: Path, web: FileServer) -> None:
    assert push(make_member(tmp_path / "net"), f"{web.url}/one") == 0
    command = [shutil.which("sha256sum") or "sha256sum", "--check", "--strict", "SHA256SUMS"]
    assert subprocess.run(command, cwd=web.root / "one", check=False, capture_output=True, timeout=20).returncode == 0
