"""Generated photos and a tiny network that learns them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tinted_photos import TINY, make_photos


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read-only photos shared by all tests."""
    return make_photos(tmp_path_factory.mktemp("photos") / "data")


@pytest.fixture
def own_photos(tmp_path: Path) -> Path:
    """Photos that the test may damage."""
    return make_photos(tmp_path / "own")


@pytest.fixture(scope="session")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A preset that trains in a second."""
    path = tmp_path_factory.mktemp("preset") / "tiny.yaml"
    path.write_text(TINY)
    return path


FitCommand = Callable[..., int]


@pytest.fixture(scope="session")
def fit(preset: Path, photos: Path) -> FitCommand:
    """Run `fit` with the tiny preset: fit(out, *more arguments, data=...) gives the exit status."""
    from training.__main__ import main

    def run(out: Path, *more: str, data: Path = photos) -> int:
        return main(["fit", "--config", str(preset), "--data", str(data), "--out", str(out), *more])

    return run


@pytest.fixture(scope="session")
def member(fit: FitCommand, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One trained-model folder, shared and read-only."""
    out = tmp_path_factory.mktemp("member") / "test_resnet"
    assert fit(out) == 0
    return out
