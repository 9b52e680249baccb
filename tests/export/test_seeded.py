"""Seeded members: the same every time, and not the same answer for every photo."""

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from pictures import textured
from timm.data import create_transform, resolve_model_data_config
from tiny_networks import CLASSES

from export import __main__ as command
from export import onnx_model, production, sessions
from export.errors import MemberError, ParityError
from export.leaf_drawing import draw_leaf
from export.members import read_member


@pytest.fixture
def small_pair(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The production pair's names on two small networks: the command is the same, the sizes are not."""
    pair = {"efficientnet_b4": "test_efficientnet", "vit_base_384": "test_vit"}
    monkeypatch.setattr(production, "PRODUCTION_PAIR", pair)
    return pair


def test_the_command_writes_members_that_timm_opens(small_pair: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for seed in range(16):
        draw_leaf(seed, 160, 120).save(tmp_path / "photos" / f"{seed:02d}.png")
    given = ["--classes", str(CLASSES), "--photos", str(tmp_path / "photos")]
    for out in ("first", "second"):
        assert command.main(["seeded", "--out", str(tmp_path / out), *given]) == 0
    for name in small_pair:
        first, second = ((tmp_path / out / name / "model.safetensors").read_bytes() for out in ("first", "second"))
        assert first == second
        network = timm.create_model(f"local-dir:{tmp_path / 'first' / name}", pretrained=True).eval()
        transform = create_transform(**resolve_model_data_config(network))
        photos = torch.stack([transform(draw_leaf(seed, 160, 120)) for seed in range(20, 28)])
        with torch.inference_mode():
            answers = network(photos).softmax(1).numpy()
        assert answers.std(axis=0).max() > 0.02


def test_an_architecture_that_timm_lost_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(production, "PRODUCTION_PAIR", {"efficientnet_b4": "no_such_network"})
    with pytest.raises(MemberError, match="timm does not know no_such_network"):
        production.production_members(CLASSES)


def test_a_conversion_that_changes_answers_is_refused(trained: Path, tmp_path: Path) -> None:
    member = read_member(trained / "small_cnn")
    classifier = onnx_model.load(member)
    pixels = onnx_model.view(classifier, [textured(120, 120), textured(90, 150, seed=1)])
    expected = onnx_model.answers(classifier, pixels)
    with torch.no_grad():
        classifier.network.get_classifier().bias.add_(torch.tensor([1.0, 0, 0, 0, 0]))
    (tmp_path / "model.onnx").write_bytes(onnx_model.to_onnx(member, classifier, pixels).SerializeToString())
    with pytest.raises(ParityError, match="small_cnn: ONNX answers on CPUExecutionProvider differ from torch"):
        onnx_model.check_parity(member, sessions.on_cpu(tmp_path / "model.onnx"), pixels, expected, 1e-4)


class Branching(torch.nn.Module):
    """Computes one thing or another, as its input says."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels if pixels.mean() > 0 else -pixels


def test_a_network_that_torch_does_not_export_is_named(trained: Path) -> None:
    member = read_member(trained / "small_cnn")
    with pytest.raises(MemberError, match="small_cnn: torch cannot export test_efficientnet to ONNX"):
        onnx_model.to_onnx(member, Branching(), torch.zeros(1, 3, 8, 8))


def test_drawn_leaves_repeat() -> None:
    assert np.array_equal(draw_leaf(1, 80, 60), draw_leaf(1, 80, 60))
    assert not np.array_equal(draw_leaf(1, 80, 60), draw_leaf(2, 80, 60))
