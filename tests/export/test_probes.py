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
from PIL import Image
from tritonclient.grpc import model_config_pb2 as pb

from export import configuration, probes
from export.draft import Draft
from export.leaf_drawing import draw_leaf
from export.members import read_member
from export.options import ReleaseOptions


def parameters(folder: Path) -> dict[str, Any]:
    """What an ensemble carries."""
    config = text_format.Parse((folder / "config.pbtxt").read_text(encoding="utf-8"), pb.ModelConfig())
    return {key: json.loads(value.string_value) for key, value in config.parameters.items()}


def test_probes_are_small_and_say_nothing_of_whoever_took_them(released: Path) -> None:
    given = parameters(released / "leaf_ensemble_1")["probes"]
    assert len(given["photos"]) == probes.MOST
    report = json.loads((released / "leaf_ensemble_1" / "report.json").read_text())
    for photo, reported in zip(given["photos"], report["probes"]["photos"], strict=True):
        jpeg = base64.b64decode(photo["jpeg"])
        assert b"farm of somebody" not in jpeg
        assert len(jpeg) == reported["bytes"] <= probes.PHOTO_BYTES
        assert sum(photo["probabilities"]) == pytest.approx(1, abs=1e-3)
        decoded = Image.open(io.BytesIO(jpeg))
        assert min(decoded.size) >= 64
        assert not decoded.getexif()


def test_triton_answers_them_as_promised(released: Path) -> None:
    given = parameters(released / "leaf_ensemble_1")["probes"]
    report = json.loads((released / "leaf_ensemble_1" / "report.json").read_text())
    assert 0 < report["served"]["probes_difference"] < given["tolerance"] / 2
    assert list(report["served"]["milliseconds_by_batch"]) == ["1", "2", "4", "8"]
    assert all(0 < of["least"] <= of["median"] for of in report["served"]["milliseconds_by_batch"].values())
    assert all(0 < d < 0.02 for d in report["stages"][-1]["differences"].values())
    assert "no plan yet" in (released / "leaf_ensemble_1" / "report.html").read_text()


def test_without_a_choice_the_first_check_photos_are_probes(released: Path) -> None:
    assert len(parameters(released / "leaf_ensemble_2")["probes"]["photos"]) == 2


@pytest.mark.parametrize(("letters", "kept"), [(40_000, 1), (62_000, 0)])
def test_probes_take_only_the_room_that_the_facts_leave(trained: Path, tmp_path: Path, letters: int, kept: int) -> None:
    folder = Path(shutil.copytree(trained / "small_cnn", tmp_path / "small_cnn"))
    document = json.loads((folder / "classes.json").read_text())
    document["crop"] = {"en": "x" * (letters - len(json.dumps(document["classes"])))}
    (folder / "classes.json").write_text(json.dumps(document))
    photos = [draw_leaf(seed) for seed in range(2)]
    draft = Draft(tmp_path, 1, [read_member(folder)], photos, ReleaseOptions(), lambda _: None)
    assert len(draft.probes) == kept
    draft.probed = [np.full((kept, 5), 1 / 9, np.float32)]
    facts = draft.facts_with_probes()
    assert ("probes" in facts) == bool(kept)
    assert configuration.room_beside(facts) >= 0


def test_probes_never_take_more_room_than_they_were_given() -> None:
    photos = [draw_leaf(seed, 200, 150) for seed in range(probes.MOST)]
    answers = np.random.default_rng(0).dirichlet(np.ones(38), probes.MOST)
    for count in range(1, probes.MOST + 1):
        room = len(json.dumps(probes.facts(probes.take(photos[:count], 38, 10**6), answers[:count])))
        assert len(probes.take(photos, 38, room - 1)) < count


def test_a_large_or_long_photo_becomes_a_small_one() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (900, 3000, 3), dtype=np.uint8))
    (probe,) = probes.take([noise], 5, 64 * 1024)
    assert len(probe.jpeg) <= probes.PHOTO_BYTES
    (small,) = probes.take([draw_leaf(0, 90, 70)], 5, 64 * 1024)
    assert small.photo.size == (90, 70)
