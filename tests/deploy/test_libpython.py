"""`make system`: nothing is done where nothing is missing, and one package is asked for where it is."""

import os
import stat
from pathlib import Path

import pytest

from deploy import libpython


def test_nothing_is_done_where_the_library_is_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / libpython.LIBRARY).touch()
    monkeypatch.setattr("sysconfig.get_config_var", lambda _name: str(tmp_path))
    monkeypatch.setenv("PATH", "")
    assert libpython.present()
    assert libpython.main() == 0


def test_a_simulated_missing_library_is_installed_by_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    apt = tmp_path / "apt-get"
    apt.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path / "asked"}\n')
    apt.chmod(apt.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(libpython, "present", lambda: False)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert libpython.main() == 0
    assert f"install --yes --no-install-recommends libpython{libpython.VERSION}" in (tmp_path / "asked").read_text()


def test_a_library_that_the_loader_lacks_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sysconfig.get_config_var", lambda _name: str(tmp_path))
    monkeypatch.setattr("sys.base_prefix", str(tmp_path))
    monkeypatch.setattr(libpython, "LIBRARY", "libpython0.0.so.1.0")
    assert not libpython.present()
