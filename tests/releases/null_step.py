"""A step of a null release: one file for all steps, told by `says.json` of its version folder what it is.

Copied into the tests' model repository, for Triton's Python backend. Every step hands on the number of its version and
refuses what comes from another one, so that no answer can mix releases unseen. Markers inside the image, as in
`null_model.py`: `null-model:sleep=0.5;` (seconds) and `null-model:kind=hard;`, which a release may be told to fail on.
"""

import json
import re
import time
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils

MARKER = re.compile(rb"null-model:([a-z-]+)=([^;]*);")
OWN, HARD = 0, 1


class TritonPythonModel:
    """Inputs and outputs FP32 but for `encoded_image`; `marks` are `[1, 2]`: the version, and whether the photo is hard."""

    def initialize(self, args):
        """Read what this version is; raise where it is told to."""
        folder = Path(args["model_repository"]) / args["model_version"]
        self.config = json.loads(args["model_config"])
        self.says = json.loads((folder / "says.json").read_text())
        self.version = float(args["model_version"])
        time.sleep(self.says.get("load_s", 0))
        if self.says.get("raises"):
            raise RuntimeError("this member was told to raise while it loads")

    def execute(self, requests):
        """One response a request."""
        return [self.answer(request) for request in requests]

    def answer(self, request):
        """By the kind of step."""
        given = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
        if "encoded_image" in given:
            return self.preprocess(given["encoded_image"])
        arrived = {float(marks[0, OWN]) for name, marks in given.items() if name.startswith("marks")}
        if arrived != {self.version}:
            return refuse(f"version {self.version} was given {sorted(arrived)}")
        if self.says["step"] == "member":
            return self.member(given["marks"])
        return self.average(given)

    def preprocess(self, image):
        """Marks of the photo."""
        orders = {k.decode(): v.decode() for k, v in MARKER.findall(image.reshape(-1)[:4096].tobytes())}
        time.sleep(float(orders.get("sleep", 0)) + self.says.get("sleep_s", 0))
        return respond({"marks": np.array([[self.version, orders.get("kind") == "hard"]], np.float32)})

    def member(self, marks):
        """The probabilities that it was told."""
        if self.says.get("fails_on_hard") and marks[0, HARD]:
            return refuse("this member was told to fail on hard photos")
        name = self.config["output"][0]["name"].removeprefix("probabilities_")
        row = np.array([self.says["probabilities"]], np.float32)
        return respond({f"probabilities_{name}": row, f"marks_{name}": marks})

    def average(self, given):
        """The mean, each member's own, and an outlier score."""
        rows = {name.removeprefix("probabilities_"): row for name, row in given.items() if "probabilities" in name}
        hard = any(marks[0, HARD] for name, marks in given.items() if name.startswith("marks"))
        score = self.says.get("score_of_hard", 0.0) if hard else 0.0
        answers = {f"answer_{name}": row for name, row in rows.items()}
        mean = np.mean(list(rows.values()), axis=0, dtype=np.float32)
        return respond({"probabilities": mean, "outlier_score": np.array([[score]], np.float32), **answers})


def respond(tensors):
    """A response of arrays by name."""
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, values) for name, values in tensors.items()])


def refuse(text):
    """A response that is Triton's INTERNAL error."""
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(text, pb_utils.TritonError.INTERNAL))
