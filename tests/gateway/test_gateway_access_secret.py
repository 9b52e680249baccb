"""The installation's secret: made once by whoever starts first, private, long enough."""

import subprocess
import sys
from pathlib import Path

import pytest
from processes import ROOT

from gateway.access.secret import derive_key, keyed_hash, load_secret
from gateway.errors import InvalidAccessSettingsError
from gateway.settings import Settings

LONG = "a secret of more than thirty-two characters"


def test_several_processes_that_start_at_once_end_up_with_one_secret(tmp_path: Path) -> None:
    code = "from gateway.access.secret import load_secret; from gateway.settings import load_settings\n"
    code += "import sys; input(); sys.stdout.write(load_secret(load_settings()).hex())"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"GATEWAY_DATA_DIR": str(tmp_path / "new" / "state")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    secrets = {process.communicate(timeout=60)[0] for process in processes}
    assert len(secrets) == 1
    assert len(bytes.fromhex(secrets.pop())) >= 32
    assert [path.name for path in (tmp_path / "new" / "state").iterdir()] == ["secret"]
    assert (tmp_path / "new" / "state" / "secret").stat().st_mode & 0o777 == 0o600


def test_a_given_secret_needs_no_file(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "state", secret=LONG)
    assert load_secret(settings) == LONG.encode()
    assert not (tmp_path / "state").exists()


def test_a_short_secret_is_refused_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(InvalidAccessSettingsError, match="shorter than 32") as refused:
        load_secret(Settings(data_dir=tmp_path, secret="hunter2"))
    assert "hunter2" not in str(refused.value)
    (tmp_path / "secret").write_text("")
    with pytest.raises(InvalidAccessSettingsError, match="shorter than 32"):
        load_secret(Settings(data_dir=tmp_path))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidAccessSettingsError, match="GATEWAY_SECRET"):
        load_secret(Settings(data_dir=tmp_path / "file"))


def test_hashes_depend_on_text_and_secret_and_keys_on_their_purpose() -> None:
    first, second = keyed_hash(b"one", "Amina"), keyed_hash(b"two", "Amina")
    assert len({first, second, keyed_hash(b"one", "Amine")}) == 3
    assert len(first) == 32
    assert int(first, 16) >= 0
    assert keyed_hash(b"one", "Amina") == first
    assert derive_key(b"one", "a") != derive_key(b"one", "b")
