"""A Triton model that answers at once, and does what a marker inside the image tells it to.

Copied into the tests' model repository, for Triton's Python backend. Markers, anywhere in the first kilobytes:
`null-model:probabilities=0.7,0.1,0.1,0.1;`, `null-model:sleep=0.5;` (seconds), `null-model:refuse=invalid;` (or
`unknown`, `internal`), `null-model:refuse-once=<token>;` and `null-model:nan=1;`.
"""

import json
import re
import time

import numpy as np
import triton_python_backend_utils as pb_utils

MARKER = re.compile(rb"null-model:([a-z-]+)=([^;]*);")
DEFAULT = [0.91, 0.02, 0.01, 0.03, 0.03]
OUTPUTS = ("probabilities", "answer_efficientnet_b4", "answer_vit_base_384")


class TritonPythonModel:
    """Input `encoded_image` UINT8 `[1, bytes]`; outputs FP32 `[1, classes]` each, all the same."""

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
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, row) for name in OUTPUTS])
