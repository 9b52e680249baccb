"""Photos from a real web server: whole, checked, resumed, and nothing outside the folder."""

from __future__ import annotations

import hashlib
import io
import random
import tarfile
import zipfile
from pathlib import Path

import pytest
from transfer_servers import FileServer

from training.__main__ import main

FILES = {"photos/healthy/a.jpg": b"a" * 100, "photos/rust/b c.jpg": random.Random(0).randbytes(300_000)}


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(files: dict[str, bytes], compression: str = "", link: tuple[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{compression}") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        if link:
            entry = tarfile.TarInfo(link[0])
            entry.type, entry.linkname = tarfile.SYMTYPE, link[1]
            archive.addfile(entry)
    return buffer.getvalue()


def download(web: FileServer, name: str, out: Path, *more: str) -> int:
    return main(["download", "--url", f"{web.url}/{name}", "--out", str(out), *more])


def contents(folder: Path) -> dict[str, bytes]:
    return {f"photos/{path.relative_to(folder)}": path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.zip", zipped(FILES)),
        ("p.tar", tarred(FILES)),
        ("p.tar.gz", tarred(FILES, "gz")),
        ("p.tar.bz2", tarred(FILES, "bz2")),
        ("p.tar.xz", tarred(FILES, "xz")),
        ("without-a-suffix", zipped(FILES)),
    ],
)
def test_every_kind_of_archive_is_unpacked_by_what_it_is(
    tmp_path: Path, web: FileServer, name: str, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (web.root / name).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    assert download(web, name, tmp_path / "data", "--sha256", digest.upper()) == 0
    assert contents(tmp_path / "data") == FILES, "the single folder at the top became the folder"
    told = capsys.readouterr().out
    assert f"sha256 of the archive {digest}, as expected" in told
    assert "2 files are in" in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "served", "served.log"]


def test_another_archive_than_expected_leaves_nothing(
    tmp_path: Path, web: FileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    (web.root / "p.zip").write_bytes(zipped(FILES))
    assert download(web, "p.zip", tmp_path / "data", "--sha256", "0" * 64) == 2
    assert "it is another file" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
    assert download(web, "p.zip", tmp_path / "data") == 0, "it was asked for again"


def test_a_download_that_breaks_off_goes_on_where_it_stopped(tmp_path: Path, web: FileServer) -> None:
    content = zipped(FILES)
    (web.root / "p.zip").write_bytes(content)
    assert download(web, "breaking/120000/p.zip", tmp_path / "data") == 0
    assert contents(tmp_path / "data") == FILES
    assert [line.split()[2] for line in web.requests] == ["0", "120000", "240000"]


def test_without_a_seal_nothing_is_pieced_together(
    tmp_path: Path, web: FileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    (web.root / "p.zip").write_bytes(zipped(FILES))
    assert download(web, "forgetful/120000/p.zip", tmp_path / "data") == 2
    assert "broke off" in (told := capsys.readouterr().err)
    assert "The same command again goes on" in told
    assert {line.split()[2] for line in web.requests} == {"0"}
    assert not (tmp_path / "data").exists()


def test_an_archive_that_changed_meanwhile_is_fetched_anew(tmp_path: Path, web: FileServer) -> None:
    (web.root / "p.zip").write_bytes(zipped({"photos/x.jpg": b"old" * 1000}))
    store = tmp_path / ".data.download"
    store.mkdir()
    (store / "p.zip.part").write_bytes(b"old beginning")
    (store / "p.zip.etag").write_text('"of the old one"')
    (web.root / "p.zip").write_bytes(zipped(FILES))
    assert download(web, "p.zip", tmp_path / "data") == 0
    assert contents(tmp_path / "data") == FILES


@pytest.mark.parametrize(
    "content",
    [
        zipped({"../stolen": b"x"}),
        zipped({"/tmp/stolen": b"x"}),
        zipped({"photos\\..\\..\\stolen": b"x"}),
        tarred({"../stolen": b"x"}),
        tarred({"a": b"x"}, link=("photos", "/etc")),
        tarred({"a": b"x"}, link=("photos", "../..")),
    ],
    ids=["zip-up", "zip-root", "zip-backslash", "tar-up", "tar-link", "tar-link-up"],
)
def test_entries_that_lead_outside_are_refused(
    tmp_path: Path, web: FileServer, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (web.root / "p").write_bytes(content)
    inner = tmp_path / "one" / "two" / "data"
    assert download(web, "p", inner) == 2
    assert "not trust it" in capsys.readouterr().err
    assert not inner.exists()
    assert not list(tmp_path.rglob("stolen"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"Rar!\x1a\x07\x01\x00" + b"\0" * 99, "is a RAR archive, which needs a tool of its own: install bsdtar"),
        (b"7z\xbc\xaf\x27\x1c" + b"\0" * 99, "is a 7z archive: `7z x"),
        (b"<html>not found</html>", "is neither zip nor tar (its first bytes are b'<html>no')"),
        (zipped(FILES)[:-100] + b"\0" * 100, "is neither zip nor tar"),
        (zipped(FILES).replace(b"a" * 100, b"b" * 100), "cannot be unpacked: Bad CRC-32"),
        (tarred(FILES, "gz")[:-1000], "cannot be unpacked"),
        (zipped({}), "is empty"),
    ],
    ids=["rar", "7z", "page", "cut-zip", "damaged-zip", "cut-tar", "empty"],
)
def test_what_cannot_be_unpacked_is_said_and_kept(
    tmp_path: Path, web: FileServer, content: bytes, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (web.root / "p.bin").write_bytes(content)
    assert download(web, "p.bin", tmp_path / "data") == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
    assert (tmp_path / ".data.download" / "p.bin").read_bytes() == content


def test_mistakes_are_one_sentence(tmp_path: Path, web: FileServer, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path / "data")]
    assert main(["download", *out]) == 2
    assert "either --url or --competition" in capsys.readouterr().err
    assert download(web, "nothing.zip?signature=hidden-word", tmp_path / "data") == 2
    told = capsys.readouterr().err
    assert "/nothing.zip is not there (404)" in told
    assert "hidden-word" not in told
    (tmp_path / "data").mkdir()
    assert download(web, "nothing.zip", tmp_path / "data") == 2
    assert "exists: give --out another name" in capsys.readouterr().err
