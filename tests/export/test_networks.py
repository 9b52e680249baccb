"""What networks tell besides probabilities: activation maps that add up to logits, statistics of inner feature maps."""

import pytest
import timm
import torch

from export import activation_map
from export.errors import MemberError
from export.networks import Classifier, describe, stages

WITH_MAPS = ["test_efficientnet", "test_resnet", "test_convnext", "tiny_vit_5m_224", "swin_tiny_patch4_window7_224"]
WITHOUT_MAPS = ["test_vit", "mobilenetv3_small_100", "vgg11"]


def randomised(architecture: str, size: int) -> torch.nn.Module:
    """A network whose norms have weights and biases of their own, as trained ones do."""
    torch.manual_seed(1)
    network = timm.create_model(architecture, num_classes=4, img_size=size) if "swin" in architecture else None
    network = network or timm.create_model(architecture, num_classes=4)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn_like(parameter) * 0.3)
        network.get_classifier().weight.normal_(std=0.3)
    return network.eval()


@pytest.mark.parametrize("architecture", WITH_MAPS)
def test_maps_add_up_to_the_logits_but_for_a_constant(architecture: str) -> None:
    size = 224 if "224" in architecture else 96
    network = randomised(architecture, size)
    pixels = torch.randn(3, 3, size, size)
    with torch.inference_mode():
        features = network.forward_features(pixels)
        found = activation_map.find(network, tuple(features.shape))
        assert found is not None
        logits, means = network(pixels), found(features).mean((2, 3))
    rest = logits - means
    assert (rest - rest[:1]).abs().max() < 1e-3 * logits.abs().max()
    assert means.std() > 1e-3


@pytest.mark.parametrize("architecture", WITHOUT_MAPS)
def test_heads_without_exact_maps_get_none(architecture: str) -> None:
    assert describe(architecture, *([224] * 2 if architecture != "test_vit" else [160] * 2), 4).map_size is None


@pytest.mark.parametrize("architecture", ["test_resnet", "test_vit", "test_convnext"])
def test_what_is_described_is_what_the_network_gives(architecture: str) -> None:
    said = describe(architecture, 160, 160, 4)
    network = timm.create_model(architecture, num_classes=4).eval()
    pixels = torch.randn(2, 3, 160, 160)
    with torch.inference_mode():
        found = activation_map.find(network, tuple(network.forward_features(pixels).shape))
        answers = Classifier(network, found, temperature=2.0)(pixels)
        plain = (network(pixels) / 2).softmax(1)
    assert answers[1].shape == (2, said.statistics)
    assert (None if len(answers) == 2 else tuple(answers[2].shape[2:])) == said.map_size
    assert (answers[0] - plain).abs().max() < 1e-6


def test_statistics_are_means_then_deviations() -> None:
    network = timm.create_model("test_resnet", num_classes=4).eval()
    pixels = torch.randn(1, 3, 160, 160)
    with torch.inference_mode():
        _, inner = network.forward_intermediates(pixels, indices=stages(network))
        given = Classifier(network, None)(pixels)[1][0]
    first, channels = inner[0][0], sum(f.shape[1] for f in inner)
    assert torch.allclose(given[: len(first)], first.mean((1, 2)), atol=1e-5)
    assert torch.allclose(given[channels : channels + len(first)], first.std((1, 2), unbiased=False), atol=1e-5)


def test_an_unknown_architecture_or_size_is_named() -> None:
    with pytest.raises(MemberError, match="cannot load no_net"):
        describe("no_net", 96, 96, 4)
    with pytest.raises(MemberError, match="at 97x97 px"):
        describe("vit_tiny_patch16_224", 97, 97, 4)
