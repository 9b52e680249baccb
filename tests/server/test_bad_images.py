"""A bad image fails alone, whoever shares its batch."""

import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tritonclient.grpc as grpc
from numpy.typing import NDArray
from pictures import encoded, textured
from processes import TritonProcess
from triton_client import infer
from tritonclient.utils import InferenceServerException

GOOD = encoded(textured(400, 300), "JPEG", quality=90)
OTHER = encoded(textured(500, 350, seed=5), "JPEG", quality=90)
TRUNCATED = GOOD[: len(GOOD) // 2]
ENSEMBLE = "leaf_ensemble_1"


def ask(
    client: grpc.InferenceServerClient, photo: bytes, times: int, expected: NDArray[np.float32] | None = None
) -> list[str]:
    """`ok`, `another photo's answer` or the error's status, once per request."""
    answers = []
    for _ in range(times):
        try:
            answer = infer(client, ENSEMBLE, photo, ["probabilities"])["probabilities"]
            answers.append(
                "ok" if expected is None or np.allclose(answer, expected, atol=1e-5) else "another photo's answer"
            )
        except InferenceServerException as error:
            answers.append(str(error.status()))
    return answers


def test_sixteen_good_clients_beside_four_hostile_ones(
    triton: TritonProcess, client: grpc.InferenceServerClient
) -> None:
    before = triton.pids()
    alone = [infer(client, ENSEMBLE, photo, ["probabilities"])["probabilities"] for photo in (GOOD, OTHER)]
    assert np.abs(alone[0] - alone[1]).max() > 1e-3
    with ThreadPoolExecutor(20) as pool:
        good = [
            pool.submit(ask, client, *pair) for pair in ((GOOD, 15, alone[0]), (OTHER, 15, alone[1])) for _ in range(8)
        ]
        bad = [pool.submit(ask, client, TRUNCATED, 15) for _ in range(4)]
        assert {answer for job in good for answer in job.result()} == {"ok"}
        assert {answer for job in bad for answer in job.result()} == {"StatusCode.INVALID_ARGUMENT"}
    assert triton.pids() == before


@pytest.mark.parametrize(
    "rubbish", [b"", b"not an image", b"\xff\xd8\xff\xe0" + bytes(50)], ids=["empty", "text", "header"]
)
def test_rubbish_is_an_invalid_argument(client: grpc.InferenceServerClient, rubbish: bytes) -> None:
    with pytest.raises(InferenceServerException, match=r"cannot decode the image|shape|dimension|size"):
        infer(client, ENSEMBLE, rubbish, ["probabilities"])
    assert ask(client, GOOD, 1) == ["ok"]


def test_a_bad_image_takes_one_line_in_the_log(triton: TritonProcess, client: grpc.InferenceServerClient) -> None:
    start = len(triton.log())
    tensor = grpc.InferInput("encoded_image", [1, len(TRUNCATED)], "UINT8")
    tensor.set_data_from_numpy(np.frombuffer(TRUNCATED, np.uint8)[None])
    with pytest.raises(InferenceServerException):
        client.infer(ENSEMBLE, [tensor], request_id="the-bad-one")
    triton.wait_for_log("the-bad-one")
    lines = [line for line in triton.log()[start:].splitlines() if line.strip()]
    assert len(lines) == 1
    assert re.search(r"cannot decode the image of request .*the-bad-one", lines[0])


def test_rows_of_one_request_may_differ_in_length(client: grpc.InferenceServerClient) -> None:
    short, long = (encoded(textured(side, side), "JPEG") for side in (64, 300))
    rows = np.zeros((2, len(long)), np.uint8)
    for row, photo in zip(rows, (short, long), strict=True):
        row[: len(photo)] = np.frombuffer(photo, np.uint8)
    tensor = grpc.InferInput("encoded_image", list(rows.shape), "UINT8")
    tensor.set_data_from_numpy(rows)
    together = client.infer(ENSEMBLE, [tensor]).as_numpy("probabilities")
    alone = [infer(client, ENSEMBLE, photo, ["probabilities"])["probabilities"] for photo in (short, long)]
    assert np.allclose(together, alone, atol=1e-5)
