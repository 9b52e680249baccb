"""The networks of our own keep timm's conventions: they open by timm alone once they are imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import timm
import torch

import architectures
from training.config.groups import ModelConfig
from training.folder import read_network, write_network
from training.learning.networks import build_network
from training.tasks import load_task

ROOT = Path(__file__).parents[2]
NAMES = ("small_cnn", "small_cnn_norm", "resnet50_dense")


def network(name: str, size: int = 48) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_network(ModelConfig(architecture=name, input_size=size), 5).eval()


def test_parameters_at_five_classes() -> None:
    assert sum(weight.numel() for weight in network("small_cnn").parameters()) == 110_405
    convolutions = [
        module.out_channels for module in network("small_cnn").modules() if isinstance(module, torch.nn.Conv2d)
    ]
    assert convolutions == [32, 64, 128]
    sibling = list(network("small_cnn_norm").modules())
    assert sum(isinstance(module, torch.nn.BatchNorm2d) for module in sibling) == 3
    assert [module.p for module in sibling if isinstance(module, torch.nn.Dropout)] == [0.5]
    assert [module.out_features for module in sibling if isinstance(module, torch.nn.Linear)] == [256, 5]


def test_the_package_names_what_it_registers() -> None:
    assert all(timm.is_model(name) for name in NAMES)
    assert architectures.__all__ == ["dense_head", "small_cnn"]


@pytest.mark.parametrize("name", NAMES)
def test_timm_alone_opens_the_folder_after_importing_the_package(name: str, tmp_path: Path) -> None:
    built = network(name)
    write_network(tmp_path / "member", built, load_task("cassava"), "float32")
    code = (
        "import architectures, timm, torch, sys; "
        "m = timm.create_model('local-dir:' + sys.argv[1], pretrained=True).eval(); "
        "torch.save(m(torch.linspace(-1, 1, 3 * 48 * 48).reshape(1, 3, 48, 48)), sys.argv[2])"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "member"), str(tmp_path / "logits.pt")]
    subprocess.run(words, cwd=ROOT, check=True)
    expected = built(torch.linspace(-1, 1, 3 * 48 * 48).reshape(1, 3, 48, 48))
    torch.testing.assert_close(torch.load(tmp_path / "logits.pt"), expected)
    assert read_network(tmp_path / "member").num_classes == 5


@pytest.mark.parametrize("name", NAMES)
def test_heads_can_be_replaced(name: str) -> None:
    built = network(name)
    built.reset_classifier(7)  # type: ignore[operator]
    assert built.eval()(torch.zeros(2, 3, 48, 48)).shape == (2, 7)
    built.reset_classifier(0)  # type: ignore[operator]
    assert built.eval()(torch.zeros(2, 3, 48, 48)).ndim == 2


@pytest.mark.parametrize("name", NAMES[:2])
def test_exports_to_onnx(name: str, tmp_path: Path) -> None:
    import onnxruntime

    built, path = network(name), tmp_path / "model.onnx"
    pixels = torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    torch.onnx.export(built, (pixels,), path, dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    logits = session.run(None, {session.get_inputs()[0].name: pixels.numpy()})[0]
    np.testing.assert_allclose(logits, built(pixels).detach().numpy(), atol=1e-4)
