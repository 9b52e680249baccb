"""`make install-tensorrt`: libraries under the names that TensorRT's Python API looks for, and plain words where that fails."""

import ctypes
import shutil
from pathlib import Path

import pytest

from deploy import tensorrt_rtx

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")


@pytest.fixture
def packages(tmp_path: Path) -> tuple[Path, Path]:
    """Folders of the API and of TensorRT-RTX's libraries, empty files in place of these."""
    bindings, libraries = tmp_path / "tensorrt_bindings", tmp_path / "rtx"
    bindings.mkdir()
    libraries.mkdir()
    for name in ("libtensorrt_rtx.so.1.7.1", "libtensorrt_onnxparser_rtx.so.1.7.1"):
        (libraries / name).write_bytes(name.encode())
    return bindings, libraries


@needs_compiler
def test_what_the_api_looks_for_lies_beside_it(packages: tuple[Path, Path]) -> None:
    bindings, libraries = packages
    for _ in range(2):  # as after an update
        assert tensorrt_rtx.link(bindings, libraries) is None
    assert (bindings / "libnvinfer.so.11").read_bytes() == b"libtensorrt_rtx.so.1.7.1"
    assert (bindings / "libnvonnxparser.so.11").read_bytes() == b"libtensorrt_onnxparser_rtx.so.1.7.1"
    plugins = ctypes.CDLL(str(bindings / "libnvinfer_plugin.so.11"))
    assert plugins.initLibNvInferPlugins(None, b"") == 0


@needs_compiler
def test_libraries_that_are_not_there_are_named(packages: tuple[Path, Path]) -> None:
    bindings, libraries = packages
    (libraries / "libtensorrt_rtx.so.1.7.1").unlink()
    assert "holds no libtensorrt_rtx.so.1.*" in str(tensorrt_rtx.link(bindings, libraries))


def test_a_machine_without_a_compiler_is_told_so(
    packages: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "install gcc" in str(tensorrt_rtx.link(*packages))


def test_a_compiler_that_fails_is_heard(
    packages: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cc").write_text("#!/bin/sh\necho no linker here >&2\nexit 1\n")
    (tmp_path / "cc").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no linker here" in str(tensorrt_rtx.link(*packages))


def test_packages_that_are_not_installed_are_named() -> None:
    with pytest.raises(SystemExit, match="no_such_package is not installed here"):
        tensorrt_rtx.folder("no_such_package")
    assert tensorrt_rtx.folder("json").name == "json"
