"""The CPU engine: OpenVINO on a member's `model.onnx`, sharing the cores fairly with the engines of other processes.

A batch runs photo by photo, each on a share of the cores: measured, that is quicker than one photo after the other on
all cores, and a core that another step borrows for a moment does not make the rest wait. A photo that comes alone gets
all cores, which halves its latency on two.
"""

import contextlib
import queue
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from server.cores import CoreShares
from server.quantization import ACTIVATION_GROUP, quantize_linear_layers

PRECISIONS = {"float32": "f32", "bfloat16": "bf16", "int8": "bf16"}
"""What a precision computes in; `int8`: large linear layers in int8, all else in bfloat16."""
PATIENCE_S = 0.1
"""How long a lone photo waits for all cores before it takes a share: longer than a quick member's turn."""
Arrays = Mapping[str, NDArray[Any]]


class Engine:
    """One network; batch size is free.

    Args:
        model: path of an ONNX file.
        precision: `float32`, `bfloat16` or `int8`; a processor without bfloat16 arithmetic computes float32 instead.
        cores: how many to use.
        shares: whom to share them with; None for a network so small that waiting would cost more than it saves.
    """

    def __init__(self, model: Path, precision: str, cores: int, shares: CoreShares | None) -> None:
        core = openvino.Core()
        network = core.read_model(model)
        if precision == "int8":
            quantize_linear_layers(network)
        self._shares = shares
        self._whole = _compile(core, network, precision, streams=1, threads=cores).create_infer_request()
        if shares is not None and shares.count > 1:
            threads = cores // shares.count * shares.count
            narrow = _compile(core, network, precision, streams=shares.count, threads=threads)
            self._narrow = [narrow.create_infer_request() for _ in range(shares.count)]
            self._workers = ThreadPoolExecutor(shares.count)

    def __call__(self, rows: Sequence[Arrays]) -> list[dict[str, NDArray[Any]]]:
        """Infer rows, each with a batch axis of 1: arrays by input name in, arrays by output name out (copies)."""
        shares = self._shares
        if shares is None:
            return self._infer_at_once(rows)
        if shares.count == 1:
            with shares.one(0):
                return self._infer_at_once(rows)
        if len(rows) < shares.count:
            with shares.all(PATIENCE_S) as idle:
                if idle:
                    return self._infer_at_once(rows)
        return self._infer_side_by_side(rows, shares)

    def _infer_at_once(self, rows: Sequence[Arrays]) -> list[dict[str, NDArray[Any]]]:
        batch = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
        results = _infer(self._whole, batch)
        return [{name: array[row : row + 1] for name, array in results.items()} for row in range(len(rows))]

    def _infer_side_by_side(self, rows: Sequence[Arrays], shares: CoreShares) -> list[dict[str, NDArray[Any]]]:
        waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for row in range(len(rows)):
            waiting.put(row)
        results: list[dict[str, NDArray[Any]]] = [{} for _ in rows]

        def work(share: int) -> None:
            while not waiting.empty():
                # a row is taken only once its share of the cores is there
                with shares.one(share), contextlib.suppress(queue.Empty):
                    row = waiting.get_nowait()
                    results[row] = _infer(self._narrow[share], rows[row])

        for done in [self._workers.submit(work, share) for share in range(shares.count)]:
            done.result()
        return results


def _infer(request: openvino.InferRequest, inputs: Arrays) -> dict[str, NDArray[Any]]:
    results = request.infer(dict(inputs), share_inputs=True)
    return {port.get_any_name(): np.array(array) for port, array in results.items()}


def _compile(
    core: openvino.Core, network: openvino.Model, precision: str, streams: int, threads: int
) -> openvino.CompiledModel:
    properties: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": PRECISIONS[precision],
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": streams,
        # each process would pin its threads to the same first cores
        "ENABLE_CPU_PINNING": False,
        # two cores of a cloud machine are often one physical core with two threads: use both
        "ENABLE_HYPER_THREADING": True,
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": ACTIVATION_GROUP if precision == "int8" else 0,
    }
    return core.compile_model(network, "CPU", properties)
