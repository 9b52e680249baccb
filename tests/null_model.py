"""A Triton model that answers at once, and does what a marker inside the image tells it to.

Copied into the tests' model repository, for Triton's Python backend. Markers, anywhere in the first kilobytes:
`null-model:probabilities=0.7,0.1,0.1,0.1;`, `null-model:sleep=0.5;` (seconds), `null-model:refuse=invalid;` (or
`unknown`, `internal`), `null-model:refuse-once=<token>;`, `null-model:nan=1;`, `null-model:outlier=4.5;` (the score) and
`null-model:hot=2,0,5;` (class, row and column of the one cell of the activation maps that is not zero).
"""

import json
import re
import time

import numpy as np
import triton_python_backend_utils as pb_utils

MARKER = re.compile(rb"null-model:([a-z-]+)=([^;]*);")
DEFAULT = [0.91, 0.02, 0.01, 0.03, 0.03]
MEMBERS = ("efficientnet_b4", "vit_base_384")
OUTPUTS = ("probabilities", *(f"answer_{member}" for member in MEMBERS))
MAPS = tuple(f"activation_map_{member}" for member in MEMBERS)
MAP_CELLS = (12, 12)


class TritonPythonModel:
    """Input `encoded_image` UINT8 `[1, bytes]`; outputs FP32 `[1, classes]` each, all the same.

    Beside them `outlier_score` FP32 `[1, 1]` and a map FP32 `[1, classes, 12, 12]` for each member.
    """

    def initialize(self, args):
        """Remember which tokens were refused already."""
        self.refused = set()
        self.classes = int(json.loads(args["model_config"])["parameters"]["classes"]["string_value"])
        self.refusals = {
            "invalid": (pb_utils.TritonError.INVALID_ARG, "the image cannot be decoded"),
            "unknown": (pb_utils.TritonError.UNKNOWN, "Critical error when running pipeline: decoders.image"),
            "internal": (pb_utils.TritonError.INTERNAL, "out of memory"),
        }

    def execute(self, requests):
        """One response a request."""
        return [self.answer(request) for request in requests]

    def answer(self, request):
        """What the marker asks for."""
        image = pb_utils.get_input_tensor_by_name(request, "encoded_image").as_numpy()
        orders = {k.decode(): v.decode() for k, v in MARKER.findall(image.reshape(-1)[:4096].tobytes())}
        time.sleep(float(orders.get("sleep", 0)))
        refusal = orders.get("refuse")
        if "refuse-once" in orders and orders["refuse-once"] not in self.refused:
            self.refused.add(orders["refuse-once"])
            refusal = "invalid"
        if refusal:
            code, text = self.refusals[refusal]
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(text, code))
        values = [float(p) for p in orders["probabilities"].split(",")] if "probabilities" in orders else DEFAULT
        row = np.array([values[: self.classes]], np.float32)
        if "nan" in orders:
            row[:] = np.nan
        tensors = dict.fromkeys(OUTPUTS, row) | self.extras(request.requested_output_names(), orders)
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, values) for name, values in tensors.items()])

    def extras(self, wanted, orders):
        """The outputs that only some releases have, where they are asked for."""
        tensors = {}
        if "outlier_score" in wanted:
            tensors["outlier_score"] = np.array([[float(orders.get("outlier", 0))]], np.float32)
        for name in set(wanted) & set(MAPS):
            tensors[name] = np.zeros((1, self.classes, *MAP_CELLS), np.float32)
            if "hot" in orders:
                tensors[name][(0, *map(int, orders["hot"].split(",")))] = 1
        return tensors
