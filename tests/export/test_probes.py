"""Photos that travel with a release: small, without metadata, and answered by a real Triton as promised."""

import base64
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from pictures import textured
from PIL import Image
from processes import TRITON_PYTHON
from tritonclient.grpc import model_config_pb2 as pb

from export import probes
from export.__main__ import main
from export.leaf_drawing import draw_leaf

PRIVATE = b"farm of somebody"


def release(trained: Path, repository: Path, *flags: str) -> int:
    """Export the CNN alone."""
    command = ["release", "--members", str(trained / "small_cnn"), "--repository", str(repository)]
    return main([*command, "--check-photos", "2", *flags])


def parameters(folder: Path) -> dict[str, Any]:
    """What an ensemble carries."""
    config = text_format.Parse((folder / "config.pbtxt").read_text(encoding="utf-8"), pb.ModelConfig())
    return {key: json.loads(value.string_value) for key, value in config.parameters.items()}


def photo_file(file: Path, seed: int) -> Path:
    """A photo with a comment, a colour profile and EXIF."""
    exif = Image.Exif()
    exif[0x010E] = PRIVATE.decode()
    picture = textured(500, 400, seed=seed)
    picture.save(file, quality=95, exif=exif, comment=PRIVATE, icc_profile=PRIVATE)
    return file


def test_probes_are_small_and_say_nothing_of_whoever_took_them(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [photo_file(tmp_path / f"{seed}.jpg", seed) for seed in range(4)]
    assert all(PRIVATE in file.read_bytes() for file in files)
    repository = tmp_path / "repository"
    assert release(trained, repository, "--probes", *map(str, files), "--triton-python", str(TRITON_PYTHON)) == 0
    given = parameters(repository / "leaf_ensemble_1")["probes"]
    assert len(given["photos"]) == probes.MOST
    report = json.loads((repository / "leaf_ensemble_1" / "report.json").read_text())
    assert 0 < report["served"]["probes_difference"] < given["tolerance"] / 2
    assert list(report["served"]["milliseconds_by_batch"]) == ["1", "2", "4", "8"]
    assert all(0 < of["least"] <= of["median"] for of in report["served"]["milliseconds_by_batch"].values())
    assert all(0 < d < 0.02 for d in report["stages"][-1]["differences"].values())
    page = (repository / "leaf_ensemble_1" / "report.html").read_text()
    assert "no plan yet" in page
    told = capsys.readouterr().out
    assert "through Triton on" in told
    assert told.endswith(f"make serve REPOSITORY={repository}\n")
    for photo, reported in zip(given["photos"], report["probes"]["photos"], strict=True):
        jpeg = base64.b64decode(photo["jpeg"])
        assert PRIVATE not in jpeg
        assert len(jpeg) == reported["bytes"] <= probes.PHOTO_BYTES
        assert sum(photo["probabilities"]) == pytest.approx(1, abs=1e-3)
        decoded = Image.open(io.BytesIO(jpeg))
        assert min(decoded.size) >= 64
        assert not decoded.getexif()


def test_without_a_choice_the_first_check_photos_are_probes(trained: Path, tmp_path: Path) -> None:
    assert release(trained, tmp_path) == 0
    assert len(parameters(tmp_path / "leaf_ensemble_1")["probes"]["photos"]) == 2


def test_probes_take_only_the_room_that_the_facts_leave(trained: Path, tmp_path: Path) -> None:
    members = shutil.copytree(trained, tmp_path / "members")
    document = json.loads((members / "small_cnn/classes.json").read_text())
    for letters, kept in ((40_000, 1), (62_000, 0)):
        document["crop"] = {"en": "x" * (letters - len(json.dumps(document["classes"])))}
        (members / "small_cnn/classes.json").write_text(json.dumps(document))
        repository = tmp_path / str(letters)
        assert release(members, repository) == 0
        given = parameters(repository / "leaf_ensemble_1")
        assert len(given.get("probes", {"photos": []})["photos"]) == kept
        assert (json.loads((repository / "leaf_ensemble_1/report.json").read_text())["probes"] is None) == (not kept)


def test_a_large_or_long_photo_becomes_a_small_one() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (900, 3000, 3), dtype=np.uint8))
    (probe,) = probes.take([noise], 5, 64 * 1024)
    assert len(probe.jpeg) <= probes.PHOTO_BYTES
    (small,) = probes.take([draw_leaf(0, 90, 70)], 5, 64 * 1024)
    assert small.photo.size == (90, 70)
