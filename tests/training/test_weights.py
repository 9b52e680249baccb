"""Where the first weights come from, and what is said where they cannot be had."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from huggingface_hub import constants

from training.config.groups import ModelConfig
from training.errors import ConfigurationError, WeightsError
from training.learning.networks import build_network

FitCommand = Callable[..., int]


def test_from_a_file_without_the_network(fit: FitCommand, member: Path, tmp_path: Path) -> None:
    file = member / "model.safetensors"
    assert fit(tmp_path / "out", "--model.pretrained_file", str(file), "--schedule.epochs", "1") == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert report["weights"] == {"from": "file", "file": "model.safetensors", "sha256": digest}
    assert str(member) not in json.dumps(report)


def test_the_backbone_is_the_files_and_the_head_is_new(tmp_path: Path) -> None:
    other = timm.create_model("resnet18", num_classes=1000)
    torch.save(other.state_dict(), tmp_path / "weights.pth")
    network = build_network(ModelConfig(architecture="resnet18", pretrained_file=str(tmp_path / "weights.pth")), 5)
    assert torch.equal(network.layer4[1].conv2.weight, other.layer4[1].conv2.weight)  # type: ignore[union-attr, index]
    assert network.fc.weight.shape == (5, 512)  # type: ignore[union-attr]


def test_a_head_of_our_own_takes_a_plain_backbone(tmp_path: Path) -> None:
    other = timm.create_model("resnet50", num_classes=1000)
    torch.save(other.state_dict(), tmp_path / "weights.pth")
    config = ModelConfig(architecture="resnet50_dense", pretrained_file=str(tmp_path / "weights.pth"), dropout=0.3)
    network = build_network(config, 38)
    assert torch.equal(network.layer3[0].conv1.weight, other.layer3[0].conv1.weight)  # type: ignore[union-attr, index]
    assert [type(module).__name__ for module in network.fc] == [  # type: ignore[union-attr]
        "BatchNorm1d",
        "Linear",
        "ReLU",
        "Dropout",
        "Linear",
    ]
    assert network.fc[3].p == 0.3  # type: ignore[union-attr, index]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        (b"no weights", "cannot be loaded|no file of weights"),
        ("resnet10t", "belongs to another"),
    ],
)
def test_files_that_do_not_fit(tmp_path: Path, content: str | bytes | None, message: str) -> None:
    path = tmp_path / "weights.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        torch.save({f"other.{name}": value for name, value in timm.create_model(content).state_dict().items()}, path)
    with pytest.raises(WeightsError, match=message):
        build_network(ModelConfig(architecture="resnet18", pretrained_file=str(path)), 5)


def test_architectures_without_weights_or_name() -> None:
    with pytest.raises(WeightsError, match="no pretrained weights of 'small_cnn'"):
        build_network(ModelConfig(architecture="small_cnn", pretrained=True), 5)
    with pytest.raises(ConfigurationError, match="resnet_of_dreams"):
        build_network(ModelConfig(architecture="resnet_of_dreams"), 5)


def test_a_hub_out_of_reach_is_said_plainly(
    fit: FitCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Offline by the hub's own switch: what a machine without network meets, without waiting for it."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "empty"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    assert fit(tmp_path / "out", "--model.architecture", "resnet18", "--model.pretrained", "true") == 2
    told = capsys.readouterr().err
    assert "could not be had: LocalEntryNotFoundError" in told
    assert "--model.pretrained_file" in told
    assert not (tmp_path / "out.partial").exists()
