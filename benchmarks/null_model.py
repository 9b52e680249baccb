"""A Triton model that answers every photo with the same probabilities at once: what is left is the way there and back.

Copied into a model repository, for Triton's Python backend.
"""

import numpy as np
import triton_python_backend_utils as pb_utils

ROW = np.array([[0.91, 0.02, 0.01, 0.03, 0.03]], np.float32)
OUTPUTS = ("probabilities", "answer_first", "answer_second")


class TritonPythonModel:
    """Input `encoded_image` UINT8 `[1, bytes]`; outputs FP32 `[1, 5]` each."""

    def execute(self, requests):
        """One response a request."""
        return [pb_utils.InferenceResponse([pb_utils.Tensor(name, ROW) for name in OUTPUTS]) for _ in requests]
