"""`make system`: nothing is done where nothing is missing, and only what is missing is asked for."""

import os
import stat
from pathlib import Path

import pytest

from deploy import system_packages


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """What a stand-in apt-get was asked for, as root."""
    apt = tmp_path / "bin" / "apt-get"
    apt.parent.mkdir()
    apt.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path / "asked"}\n')
    apt.chmod(apt.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{apt.parent}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    (tmp_path / "asked").touch()
    return tmp_path / "asked"


def test_nothing_is_done_where_the_library_is_there(
    monkeypatch: pytest.MonkeyPatch, asked: Path, tmp_path: Path
) -> None:
    (tmp_path / system_packages.LIBRARY).touch()
    monkeypatch.setattr("sysconfig.get_config_var", lambda _name: str(tmp_path))
    assert system_packages.main("serve") == 0
    assert asked.read_text() == ""


def test_a_simulated_missing_library_is_installed_by_root(monkeypatch: pytest.MonkeyPatch, asked: Path) -> None:
    monkeypatch.setattr(system_packages, "has_libpython", lambda: False)
    assert system_packages.main("serve") == 0
    assert f"install --yes --no-install-recommends libpython{system_packages.VERSION}" in asked.read_text()


def test_a_library_that_the_loader_lacks_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sysconfig.get_config_var", lambda _name: str(tmp_path))
    monkeypatch.setattr("sys.base_prefix", str(tmp_path))
    monkeypatch.setattr(system_packages, "LIBRARY", "libpython0.0.so.1.0")
    assert system_packages.missing("serve") == [f"libpython{system_packages.VERSION}"]


def test_only_missing_test_programs_are_asked_for(monkeypatch: pytest.MonkeyPatch, asked: Path, tmp_path: Path) -> None:
    there = {"there": ("sh",), "by-pattern": (f"{tmp_path}/bin/apt-*",), "lacking": ("no-such-program",)}
    monkeypatch.setattr(system_packages, "TEST_PROGRAMS", there)
    assert system_packages.main("test") == 0
    assert asked.read_text().splitlines()[-1].endswith("--no-install-recommends lacking")


def test_others_than_root_install_nothing(monkeypatch: pytest.MonkeyPatch, asked: Path) -> None:
    monkeypatch.setattr(system_packages, "has_libpython", lambda: False)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert system_packages.main("serve") == 0
    assert asked.read_text() == ""
