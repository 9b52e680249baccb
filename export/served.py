"""A release through a real Triton before it exists: served from where it was written aside, compared with torch.

Triton runs as a process of its own (`python -m server`), as its libraries do not go together with those of export.
"""

import contextlib
import ctypes
import io
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.grpc as grpc
from numpy.typing import NDArray
from PIL import Image
from tritonclient.utils import InferenceServerException

from export.configuration import ENCODED_IMAGE, ENSEMBLE, OUTLIER_SCORE, PROBABILITIES
from export.errors import ServedError
from export.members import Member
from export.probes import Probe
from export.timing import by_batch, machine

ROOT = Path(__file__).parents[1]
START_S = 300
ANSWER_S = 120
PR_SET_PDEATHSIG = 1


class Asking:
    """Asks an ensemble that is served."""

    def __init__(self, client: grpc.InferenceServerClient, ensemble: str) -> None:
        self._client, self._ensemble = client, ensemble

    def __call__(self, encoded: bytes, outputs: Sequence[str], count: int = 1) -> dict[str, NDArray[np.float32]]:
        """An image file `count` times in one request, and names of outputs, to the first photo's values."""
        tensor = grpc.InferInput(ENCODED_IMAGE, [count, len(encoded)], "UINT8")
        tensor.set_data_from_numpy(np.frombuffer(encoded, np.uint8)[None].repeat(count, axis=0))
        wanted = [grpc.InferRequestedOutput(name) for name in outputs]
        result = self._client.infer(self._ensemble, [tensor], outputs=wanted, client_timeout=ANSWER_S)
        return {name: result.as_numpy(name)[0] for name in outputs}


@contextlib.contextmanager
def serving(repository: Path, number: int, python: Path) -> Iterator[Asking]:
    """A real Triton on release `number` of a repository, as long as the context lasts.

    Args:
        python: of the environment that has Triton.

    Raises:
        ServedError: Triton does not start, or does not answer.
    """
    ensemble = f"{ENSEMBLE}_{number}"
    ports = _free_ports(3)
    command: list[str | Path] = [python, "-m", "server", "--repository", repository, "--load", ensemble]
    for flag, port in zip(("--http-port", "--grpc-port", "--metrics-port"), ports, strict=True):
        command += [flag, str(port)]
    log = repository / "triton.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, preexec_fn=_end_with_parent
        )
    try:
        with grpc.InferenceServerClient(f"127.0.0.1:{ports[1]}") as client:
            _wait(client, ensemble, process, log)
            yield Asking(client, ensemble)
    except InferenceServerException as error:
        raise ServedError(f"{ensemble} fails in Triton: {error}. No release was written.") from error
    finally:
        process.terminate()
        process.wait(60)
    log.unlink()


def _end_with_parent() -> None:
    """Runs in the child: an export that is killed must not leave a Triton behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def compare(
    ask: Asking,
    members: Sequence[Member],
    photos: Sequence[Image.Image],
    expected: Sequence[NDArray[np.float32]],
    scores: NDArray[np.float64] | None,
) -> dict[str, Any]:
    """Largest differences of each member's probabilities, and of the outlier score, on photos sent as PNG.

    Args:
        expected: torch's probabilities, [photos, classes] per member.
        scores: outlier scores of torch's statistics, [photos]; None where no score was fitted.
    """
    names = [member.answer for member in members] + ([] if scores is None else [OUTLIER_SCORE])
    answers: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    for photo in photos:
        said = ask(_encoded(photo, "PNG"), list(answers))
        for name, rows in answers.items():
            rows.append(said[name])
    differences = {
        member.name: float(np.abs(np.stack(answers[member.answer]) - torch_says).max())
        for member, torch_says in zip(members, expected, strict=True)
    }
    score = None if scores is None else float(np.abs(np.concatenate(answers[OUTLIER_SCORE]) - scores).max())
    return {"photos": len(photos), "differences": differences, "outlier_score_difference": score}


def latencies(ask: Asking, photo: Image.Image, seconds: float) -> dict[str, Any]:
    """Milliseconds of requests with one to eight copies of a photo as JPEG, for the whole ensemble, one request at a time.

    Args:
        seconds: as `timing.by_batch`.
    """
    encoded = _encoded(photo, "JPEG")
    taken = by_batch(lambda count: ask(encoded, [PROBABILITIES], count), seconds)
    return {"machine": machine(), "milliseconds_by_batch": taken}


def probe(ask: Asking, probes: Sequence[Probe], expected: NDArray[np.float64]) -> float:
    """Largest difference of the release's probabilities on its probes from what it promises, [probes, classes]."""
    rows = [ask(probe.jpeg, [PROBABILITIES])[PROBABILITIES] for probe in probes]
    return float(np.abs(np.stack(rows) - expected).max())


def _encoded(photo: Image.Image, kind: str) -> bytes:
    encoded = io.BytesIO()
    photo.save(encoded, kind)
    return encoded.getvalue()


def _wait(client: grpc.InferenceServerClient, ensemble: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServedError(f"Triton does not start: {_tail(log)}\nNo release was written.")
        try:
            if client.is_model_ready(ensemble):
                return
        except InferenceServerException:
            pass  # it is not listening yet
        time.sleep(0.2)
    raise ServedError(f"Triton has not loaded {ensemble} within {START_S} s: {_tail(log)}\nNo release was written.")


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-5:])


def _free_ports(count: int) -> list[int]:
    """Ports that the system lends; all are held until all are known, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
