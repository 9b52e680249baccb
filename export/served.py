"""A release through a real Triton before it exists: served from where it was written aside, compared with torch.

Triton runs as a process of its own (`python -m server`), as its libraries do not go together with those of export.
"""

import io
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.grpc as grpc
from numpy.typing import NDArray
from PIL import Image
from tritonclient.utils import InferenceServerException

from export.configuration import ENCODED_IMAGE, ENSEMBLE
from export.errors import ServedError
from export.members import Member

ROOT = Path(__file__).parents[1]
START_S = 300
ANSWER_S = 120


def compare(
    repository: Path,
    number: int,
    members: Sequence[Member],
    photos: Sequence[Image.Image],
    expected: Sequence[NDArray[np.float32]],
    python: Path,
) -> dict[str, Any]:
    """Largest differences of each member's probabilities on photos sent as PNG, and milliseconds a photo.

    Args:
        repository: a repository that holds the release.
        expected: torch's probabilities, [photos, classes] per member.
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
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    try:
        with grpc.InferenceServerClient(f"127.0.0.1:{ports[1]}") as client:
            _wait(client, ensemble, process, log)
            answers, times = _ask(client, ensemble, members, photos)
    except InferenceServerException as error:
        raise ServedError(f"{ensemble} fails in Triton: {error}. No release was written.") from error
    finally:
        process.terminate()
        process.wait(60)
    log.unlink()
    differences = {
        member.name: float(np.abs(np.stack(answers[member.answer]) - torch_says).max())
        for member, torch_says in zip(members, expected, strict=True)
    }
    return {"photos": len(photos), "differences": differences, "milliseconds_one_photo": round(1000 * min(times), 1)}


def _ask(
    client: grpc.InferenceServerClient, ensemble: str, members: Sequence[Member], photos: Sequence[Image.Image]
) -> tuple[dict[str, list[NDArray[np.float32]]], list[float]]:
    answers: dict[str, list[NDArray[np.float32]]] = {member.answer: [] for member in members}
    times = []
    for photo in photos:
        encoded = io.BytesIO()
        photo.save(encoded, "PNG")
        tensor = grpc.InferInput(ENCODED_IMAGE, [1, encoded.tell()], "UINT8")
        tensor.set_data_from_numpy(np.frombuffer(encoded.getvalue(), np.uint8)[None])
        wanted = [grpc.InferRequestedOutput(name) for name in answers]
        start = time.perf_counter()
        result = client.infer(ensemble, [tensor], outputs=wanted, client_timeout=ANSWER_S)
        times.append(time.perf_counter() - start)
        for name, rows in answers.items():
            rows.append(result.as_numpy(name)[0])
    return answers, times


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
