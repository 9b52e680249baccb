"""The CPU engine: OpenVINO on a member's `model.onnx`, sharing the cores fairly with the engines of other processes.

A batch runs photo by photo, each on a share of the cores: measured, that is quicker than one photo after the other on
all cores, and a core that another step borrows for a moment does not make the rest wait. A photo that comes alone gets
all cores, which halves its latency on two. So networks are compiled for one photo: known shapes make them 6 % quicker.
"""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
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
Arrays = Mapping[str, NDArray[Any]]


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
        self._narrow = [self._alone]
        if shares.count > 1:
            narrow = self._compile(network, streams=shares.count)
            self._narrow = [narrow.create_infer_request() for _ in range(shares.count)]
        self._threads = ThreadPoolExecutor(shares.count, thread_name_prefix="share")
        everyone = threading.Barrier(shares.count)  # a thread that cannot be had must fail here, not at the first photo
        wait([self._threads.submit(everyone.wait) for _ in range(shares.count)])

    def __call__(self, rows: Sequence[Arrays]) -> list[dict[str, NDArray[Any]]]:
        """Infer rows, each with a batch axis of 1: arrays by input name in, arrays by output name out (copies)."""
        shares = self._shares
        if shares is None:
            return self.infer_at_once(rows)
        answers: list[Future[dict[str, NDArray[Any]]]] = []
        try:
            with shares.turn():
                for row in rows:
                    held = shares.take(wanted=len(rows) - len(answers) - 1)
                    answers.append(self._threads.submit(self._run, row, shares, held))
        finally:
            wait(answers)  # all of them, also when one fails: the rows are Triton's memory, gone after we return
        return [answer.result() for answer in answers]

    def _run(self, row: Arrays, shares: CoreShares, held: Sequence[int]) -> dict[str, NDArray[Any]]:
        try:
            return _infer(self._alone if len(held) == shares.count else self._narrow[held[0]], row)
        finally:
            shares.give_back(held)

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


def _infer(request: openvino.InferRequest, inputs: Arrays) -> dict[str, NDArray[Any]]:
    results = request.infer(dict(inputs), share_inputs=True)
    return {port.get_any_name(): np.array(array) for port, array in results.items()}
