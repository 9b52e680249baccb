"""Which photos a page explains, and the pictures that show where each member looked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from PIL import Image
from torch import Tensor, nn

from training.data.photos import Photo, open_photo
from training.errors import AttributionError
from training.evaluation.attribution import GradCam
from training.evaluation.members import Answers
from training.evaluation.pictures import as_seen, data_uri, heated
from training.transforms import evaluation_transform

METHOD = "Grad-CAM (Selvaraju et al. 2017) for the predicted class"
_SIDE = 224


@dataclass(frozen=True)
class Explained:
    """One photo as the first member saw it, and one heat map per member, all as `data:` addresses."""

    index: int
    """Position among the answers."""
    seen: str
    heat: dict[str, str]
    """Member's name → picture."""


def explain(
    networks: dict[str, nn.Module], photos: Sequence[Photo], answers: Answers, count: int
) -> tuple[list[Explained], dict[str, str]]:
    """Draw Grad-CAM maps of the surest right answers of each class and of the worst mistakes.

    Args:
        networks: the members by name.
        photos: in the order of `answers`.
        answers: of the member, or of the average of several.
        count: number of photos.

    Returns:
        The pictures, and for each member where its map was taken, or why it has none.
    """
    chosen = choose(answers, count)
    if not chosen:
        return [], {}
    first = next(iter(networks.values()))
    maps: dict[str, GradCam] = {}
    says: dict[str, str] = {}
    for name, network in networks.items():
        try:
            maps[name] = GradCam(network, _pixels(network, photos[chosen[0]]))
            says[name] = f"taken at the {maps[name].layer}"
        except AttributionError as error:
            says[name] = f"no map, as {error}"
    explained = []
    for index in chosen if maps else ():
        heat = {}
        for name, grad_cam in maps.items():
            network = networks[name]
            pixels = _pixels(network, photos[index])
            found = grad_cam(pixels, int(answers.predicted[index]))
            heat[name] = data_uri(heated(_seen(network, pixels), found))
        explained.append(Explained(index, data_uri(_seen(first, _pixels(first, photos[index]))), heat))
    return explained, says


def choose(answers: Answers, count: int) -> list[int]:
    """Positions of at most `count` photos: the surest right answer of each class in turn, then the worst mistakes."""
    sure, truth = answers.probabilities.max(axis=1), answers.labels
    right = answers.predicted == truth
    per_class = [
        np.flatnonzero(right & (truth == label))[np.argsort(-sure[right & (truth == label)], kind="stable")].tolist()
        for label in range(answers.probabilities.shape[1])
    ]
    deepest = max(map(len, per_class))
    in_turn = [group[depth] for depth in range(deepest) for group in per_class if depth < len(group)]
    of_truth = answers.probabilities[np.arange(len(truth)), truth]
    wrong: list[int] = np.flatnonzero(~right)[np.argsort(of_truth[~right], kind="stable")].tolist()
    mistakes = min(len(wrong), max(count // 2, count - len(in_turn)))
    return in_turn[: count - mistakes] + wrong[:mistakes]


def _pixels(network: nn.Module, photo: Photo) -> Tensor:
    device = next(network.parameters()).device
    return evaluation_transform(network)(open_photo(photo.path))[None].to(device)


def _seen(network: nn.Module, pixels: Tensor) -> Image.Image:
    cfg = cast("dict[str, Any]", network.pretrained_cfg)
    return as_seen(pixels[0], cfg["mean"], cfg["std"], _SIDE)
