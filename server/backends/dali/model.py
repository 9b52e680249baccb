"""Stand-in for Triton's `dali` backend: the same `dali.py`, run by DALI on the CPU."""

import json
import os
import sys
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

sys.path.insert(0, os.environ["LEAF_ROOT"])  # the stub ignores PYTHONPATH

from server.batches import version_folder
from server.cores import usable_cores
from server.preprocessing import Preprocessor


class TritonPythonModel:
    """One instance of a preprocessing step."""

    def initialize(self, args: dict[str, str]) -> None:
        """Build the pipeline of this version."""
        configuration = json.loads(args["model_config"])
        self._input = configuration["input"][0]["name"]
        self._outputs = [tensor["name"] for tensor in configuration["output"]]
        self._preprocess = Preprocessor(version_folder(args), configuration["max_batch_size"], usable_cores())

    def execute(self, requests: list[Any]) -> list[Any]:
        """Decode all images of the dynamic batch at once; a request with a bad image fails, the others do not."""
        images = [pb_utils.get_input_tensor_by_name(request, self._input).as_numpy() for request in requests]
        results = iter(self._preprocess([row for rows in images for row in rows]))
        return [
            self._respond(request, [next(results) for _ in rows])
            for request, rows in zip(requests, images, strict=True)
        ]

    def _respond(self, request: Any, rows: list[Any]) -> Any:
        bad = next((row for row in rows if isinstance(row, str)), None)
        if bad is not None:
            pb_utils.Logger.log_warn(f"cannot decode the image of request {request.request_id() or '(no id)'}: {bad}")
            error = pb_utils.TritonError(f"cannot decode the image: {bad}", pb_utils.TritonError.INVALID_ARG)
            return pb_utils.InferenceResponse(error=error)
        return pb_utils.InferenceResponse(
            [pb_utils.Tensor(name, _together([row[i] for row in rows])) for i, name in enumerate(self._outputs)]
        )


def _together(views: list[Any]) -> Any:
    """Add the batch axis; a single view, the usual case, is not copied for it."""
    return views[0][np.newaxis] if len(views) == 1 else np.stack(views)
