"""What every peer has inside: the release's networks, as PyTorch, ONNX Runtime or our CPU engine computes them.

`PEER_RELEASE` names the release's facts (JSON, `benchmarks.systems.release`), `PEER_ENGINE` is `eager-float32`,
`eager-bfloat16`, `onnxruntime` or `engine`, `PEER_LOCKS` a folder through which engines of several processes share the cores.
All but `eager-float32`, which is what most people write, decode very large JPEGs at a smaller scale, as the gateway does.
"""

import io
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from timm.data.config import resolve_data_config
from timm.data.transforms_factory import create_transform

REDUCE_ABOVE_PIXELS = 8 * 1024 * 1024
DETAIL = 2
"""Pixels of the shorter side that are kept at least, for each that the largest view wants; both are the gateway's."""

Views = list[NDArray[np.float32]]
"""Of one photo: pixels [1, 3, height, width] for each member."""
Network = Callable[[Sequence[NDArray[np.float32]]], NDArray[np.float32]]
"""Photos' pixels [1, 3, height, width] each, to probabilities [photos, classes]."""


class Networks:
    """All members of the release.

    Args:
        threads: for one batch; as many as there are cores, divided by the processes that share them.
    """

    def __init__(self, threads: int) -> None:
        torch.set_num_threads(threads)
        self._facts = json.loads(Path(os.environ["PEER_RELEASE"]).read_text())
        inside = os.environ["PEER_ENGINE"]
        build = {"onnxruntime": _onnxruntime, "engine": _engine}.get(inside, _eager)
        self._reduces = inside != "eager-float32"
        self._side = 0
        self._transforms: list[Callable[[Image.Image], torch.Tensor]] = []
        self._networks: list[Network] = []
        for member in self._facts["members"]:
            told = json.loads((Path(member["folder"]) / "config.json").read_text())["pretrained_cfg"]
            view = resolve_data_config(pretrained_cfg=told)
            self._side = max(self._side, DETAIL * max(view["input_size"][1:]))
            self._transforms.append(create_transform(**view))
            self._networks.append(build(member, threads))

    def views(self, photo: bytes) -> Views:
        """Decode once, and what each member wants to see.

        Raises:
            OSError: the photo cannot be decoded.
        """
        with Image.open(io.BytesIO(photo)) as image:
            if self._reduces and image.width * image.height > REDUCE_ABOVE_PIXELS:
                image.draft("RGB", (self._side, self._side))
            picture = ImageOps.exif_transpose(image).convert("RGB")
        return [np.asarray(transform(picture)[None]) for transform in self._transforms]

    def __call__(self, batch: Sequence[Views]) -> list[list[float]]:
        """The weighted mean of the members' probabilities, photo by photo."""
        mean: Any = 0.0
        for number, (member, network) in enumerate(zip(self._facts["members"], self._networks, strict=True)):
            mean = mean + member["weight"] * network([views[number] for views in batch])
        if (temperature := self._facts["temperature"]) != 1:
            mean = np.maximum(mean, 1e-12) ** (1 / temperature)
            mean = mean / mean.sum(axis=1, keepdims=True)
        return [[float(value) for value in row] for row in mean]


def reply(probabilities: list[float]) -> dict[str, Any]:
    """The least that a client needs."""
    return {"probabilities": probabilities, "predicted_class_id": int(np.argmax(probabilities))}


def _eager(member: dict[str, Any], _threads: int) -> Network:
    import timm

    import architectures  # noqa: F401  # registers the networks of our own with timm

    network = timm.create_model(f"local-dir:{member['folder']}", pretrained=True).eval()
    form: dict[str, Any] = {}
    if os.environ["PEER_ENGINE"] == "eager-bfloat16":  # once, and not for each photo as autocast would
        form = {"dtype": torch.bfloat16, "memory_format": torch.channels_last}
        network = network.to(**form)

    def run(pixels: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        with torch.inference_mode():
            logits = network(torch.from_numpy(np.concatenate(pixels)).to(**form)).float()
        return torch.softmax(logits / member["temperature"], 1).numpy()

    return run


def _onnxruntime(member: dict[str, Any], threads: int) -> Network:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(member["onnx"], options, providers=["CPUExecutionProvider"])

    def run(pixels: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        (answer,) = session.run([member["output"]], {member["input"]: np.concatenate(pixels)})
        return np.asarray(answer, np.float32)

    return run


def _engine(member: dict[str, Any], _threads: int) -> Network:
    from server.cores import CoreShares
    from server.engine import Engine
    from server.members import engine_settings

    cores = len(os.sched_getaffinity(0))
    shares = CoreShares(Path(os.environ["PEER_LOCKS"]), cores)
    file = Path(member["onnx"])
    engine = Engine(file, engine_settings(file.parent), cores, shares)

    def run(pixels: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        answers = engine([{member["input"]: each} for each in pixels])
        return np.concatenate([answer[member["output"]] for answer in answers])

    return run
