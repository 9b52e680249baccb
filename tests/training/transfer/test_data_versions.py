"""Photos and splits under version control: written to a bucket with credentials, read over HTTP without."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from processes import ROOT
from transfer_servers import client

DVC = ROOT / ".venv" / "dvc" / "bin" / "dvc"
PUBLIC = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::members/dvc/*"}
    ],
}


def run(folder: Path, *command: str, **extra: str) -> str:
    """Run a command in a folder; what it wrote."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**kept, **extra},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def make(folder: Path, target: str, *variables: str, **extra: str) -> str:
    """One of the project's targets, in another folder; the environments are not made anew."""
    return run(folder, "make", "-f", str(ROOT / "Makefile"), "-o", "install-dvc", target, *variables, **extra)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the project's DVC settings and some photos."""
    folder = tmp_path / "repository"
    (folder / "data" / "leaves").mkdir(parents=True)
    (folder / ".dvc").mkdir()
    for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, folder / name)
    (folder / ".gitignore").write_text("/.venv\n")
    (folder / ".venv").symlink_to(ROOT / ".venv")
    for number in range(5):
        (folder / "data" / "leaves" / f"{number}.jpg").write_bytes(random.Random(number).randbytes(30_000))
    (folder / "data" / "splits").mkdir()
    (folder / "data" / "splits" / "leaves.csv").write_text("# split\nimage_id,label,part\n0.jpg,0,train\n")
    run(folder, "git", "init", "-q")
    run(folder, "git", "config", "user.email", "nobody@example.org")
    run(folder, "git", "config", "user.name", "nobody")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    found = (path for path in (folder / "data").rglob("*") if path.suffix in {".jpg", ".csv"})
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.mark.long
def test_who_clones_gets_the_photos_of_that_commit_without_an_account(
    s3: str, bucket: str, repository: Path, tmp_path: Path
) -> None:
    client(s3).put_bucket_policy(Bucket="members", Policy=json.dumps(PUBLIC))
    account = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    first = contents(repository)
    make(repository, "data-remote", f"READ={s3}/members/dvc", "WRITE=s3://members/dvc")
    make(repository, "data-track", "DATA=data/leaves data/splits/leaves.csv")
    run(repository, "git", "add", ".")
    tracked = run(repository, "git", "ls-files").split()
    assert {"data/leaves.dvc", "data/splits/leaves.csv.dvc"} <= set(tracked)
    assert not [name for name in tracked if name.endswith((".jpg", ".csv"))]
    run(repository, "git", "commit", "-qm", "first version")
    make(repository, "data-push", **account)

    (repository / "data" / "leaves" / "0.jpg").write_bytes(b"a better photo")
    make(repository, "data-track", "DATA=data/leaves")
    run(repository, "git", "commit", "-qam", "second version")
    second = contents(repository)
    make(repository, "data-push", **account)

    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "-q", str(repository), str(clone))
    (clone / ".venv").symlink_to(ROOT / ".venv")
    assert contents(clone) == {}
    make(clone, "data-pull")
    assert contents(clone) == second != first
    run(clone, "git", "checkout", "-q", "HEAD~1")
    make(clone, "data-pull", "DATA=data/leaves")
    assert contents(clone) == first
    assert "hidden-word" not in (clone / ".dvc" / "config").read_text()
