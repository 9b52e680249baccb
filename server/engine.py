"""The CPU engine: OpenVINO on a member's `model.onnx`, sharing the cores fairly with the engines of other processes.

A batch runs photo by photo, each on a share of the cores: measured, that is quicker than one photo after the other on
all cores, and a core that another step borrows for a moment does not make the rest wait. A photo that comes alone gets
all cores, which halves its latency on two. So networks are compiled for one photo: known shapes make them 6 % quicker.
"""

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from server.cores import CoreShares
from server.members import EngineSettings
from server.quantization import quantize_linear_layers

PRECISIONS = {"float32": "f32", "bfloat16": "bf16", "int8": "bf16"}
"""What a precision computes in; `int8`: the layers whose ranges are known in int8, all else in bfloat16."""
PATIENCE_S = 0.1
"""How long a lone photo waits for all cores before it takes a share: longer than a quick member's turn."""
Arrays = Mapping[str, NDArray[Any]]
Job = tuple[Arrays, "Future[dict[str, NDArray[Any]]]"]


class Engine:
    """One network; batch size is free.

    Args:
        model: path of an ONNX file.
        settings: a processor without bfloat16 arithmetic computes float32 instead.
        cores: how many to use.
        shares: whom to share them with; None for a network so small that waiting would cost more than it saves.
    """

    def __init__(self, model: Path, settings: EngineSettings, cores: int, shares: CoreShares | None) -> None:
        self._model, self._settings, self._cores, self._shares = model, settings, cores, shares
        self._core = openvino.Core()
        if shares is None:
            _ = self._batched  # a damaged file must fail here, not at the first photo
            return
        network = self._read(rows=1)
        self._alone = self._compile(network, streams=1).create_infer_request()
        if shares.count > 1:
            narrow = self._compile(network, streams=shares.count)
            self._jobs: deque[Job] = deque()
            self._arrived = threading.Condition()
            for share in range(shares.count):
                arguments = (narrow.create_infer_request(), shares, share)
                threading.Thread(target=self._work, args=arguments, daemon=True).start()

    def __call__(self, rows: Sequence[Arrays]) -> list[dict[str, NDArray[Any]]]:
        """Infer rows, each with a batch axis of 1: arrays by input name in, arrays by output name out (copies)."""
        shares = self._shares
        if shares is None:
            return self.infer_at_once(rows)
        if shares.count == 1:
            with shares.one(0):
                return [_infer(self._alone, row) for row in rows]
        if len(rows) < shares.count:
            with shares.all(PATIENCE_S) as idle:
                if idle:
                    return [_infer(self._alone, row) for row in rows]
        return self._infer_side_by_side(rows)

    def infer_at_once(self, rows: Sequence[Arrays]) -> list[dict[str, NDArray[Any]]]:
        """One batch on all cores, without asking for a turn."""
        batch = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
        results = _infer(self._batched, batch)
        return [{name: array[row : row + 1] for name, array in results.items()} for row in range(len(rows))]

    @cached_property
    def _batched(self) -> openvino.InferRequest:
        return self._compile(self._read(rows=None), streams=1).create_infer_request()

    def _read(self, rows: int | None) -> openvino.Model:
        """The network for batches of so many rows; None: of any."""
        network = self._core.read_model(self._model)
        if rows is not None:
            shapes = {port: port.get_partial_shape() for port in network.inputs}
            network.reshape({port: [rows, *list(shape)[1:]] for port, shape in shapes.items()})
        if self._settings.precision == "int8" and self._settings.activation_ranges is not None:
            quantize_linear_layers(network, self._settings.activation_ranges)
        return network

    def _compile(self, network: openvino.Model, streams: int) -> openvino.CompiledModel:
        properties: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": PRECISIONS[self._settings.precision],
            "INFERENCE_NUM_THREADS": self._cores,
            "NUM_STREAMS": streams,
            # each process would pin its threads to the same first cores
            "ENABLE_CPU_PINNING": False,
            # two cores of a cloud machine are often one physical core with two threads: use both
            "ENABLE_HYPER_THREADING": True,
        }
        return self._core.compile_model(network, "CPU", properties)

    def _infer_side_by_side(self, rows: Sequence[Arrays]) -> list[dict[str, NDArray[Any]]]:
        jobs = [(row, Future[dict[str, NDArray[Any]]]()) for row in rows]
        with self._arrived:
            self._jobs.extend(jobs)
            self._arrived.notify_all()
        answers = [answer for _, answer in jobs]
        wait(answers)  # all of them, also when one fails: the rows are Triton's memory, gone after we return
        return [answer.result() for answer in answers]

    def _work(self, request: openvino.InferRequest, shares: CoreShares, share: int) -> None:
        """The thread of one share: takes a row only once its share of the cores is there."""
        while True:
            with self._arrived:
                while not self._jobs:
                    self._arrived.wait()
            with shares.one(share):
                try:
                    row, answer = self._jobs.popleft()
                except IndexError:
                    continue  # another share was quicker
                try:
                    answer.set_result(_infer(request, row))
                except Exception as error:
                    answer.set_exception(error)


def _infer(request: openvino.InferRequest, inputs: Arrays) -> dict[str, NDArray[Any]]:
    results = request.infer(dict(inputs), share_inputs=True)
    return {port.get_any_name(): np.array(array) for port, array in results.items()}
