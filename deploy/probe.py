"""`python3 -m deploy.probe --repository /models`: exit code 0 where Triton answers an inference. Standard library only.

Triton's own readiness does not see an ensemble that waits for ever; this asks a release for the warm-up photo that lies in
the repository. With `--alive` a server that turns the photo away for want of room counts too: it is busy, not broken, and
to restart it would make things worse.
"""

import argparse
import http.client
import json
import math
import re
import sys
from pathlib import Path
from typing import Any

_ENSEMBLE = re.compile(r"leaf_ensemble_([1-9][0-9]*)")
_QUEUE_TIMEOUT_US = 3_000_000
_BUSY = 503


class ProbeError(Exception):
    """No release answers as it should; says what was tried."""


def releases(repository: Path) -> list[str]:
    """Names of the repository's ensembles, the newest first."""
    found = [(int(match[1]), match[0]) for path in repository.iterdir() if (match := _ENSEMBLE.fullmatch(path.name))]
    return [name for _, name in sorted(found, reverse=True)]


def photo(repository: Path) -> bytes:
    """The warm-up photo of the preprocessing step.

    Raises:
        ProbeError: there is none.
    """
    files = sorted(repository.glob("preprocess*/warmup/*.jpg"))
    if not files:
        raise ProbeError(f"{repository} holds no warm-up photo (preprocess/warmup/*.jpg).")
    return files[-1].read_bytes()


def question(image: bytes) -> bytes:
    """An inference request of KServe's protocol, which gives up its place in a queue after three seconds."""
    body = {
        "parameters": {"timeout": _QUEUE_TIMEOUT_US},
        "inputs": [{"name": "encoded_image", "shape": [1, len(image)], "datatype": "UINT8", "data": list(image)}],
        "outputs": [{"name": "probabilities"}],
    }
    return json.dumps(body).encode()


def ask(host: str, port: int, method: str, path: str, body: bytes | None, timeout_s: float) -> tuple[int, bytes]:
    """Status and body of one answer.

    Raises:
        OSError: nothing is there, or it does not answer in time.
    """
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def sum_of(answer: bytes) -> float:
    """Sum of the probabilities in an answer."""
    told: dict[str, Any] = json.loads(answer)
    return math.fsum(told["outputs"][0]["data"])


def probe(given: argparse.Namespace) -> str:
    """What has answered; any release will do, since the route decides which one people get.

    Raises:
        ProbeError: none has.
        OSError: Triton is not there, or an inference takes longer than `--timeout`.
    """
    body = question(photo(given.repository))
    tried = []
    for name in releases(given.repository):
        status, _ = ask(given.host, given.port, "GET", f"/v2/models/{name}/ready", None, given.timeout)
        if status != http.client.OK:
            tried.append(f"{name} is not loaded")
            continue
        status, answer = ask(given.host, given.port, "POST", f"/v2/models/{name}/infer", body, given.timeout)
        if status == http.client.OK and abs(sum_of(answer) - 1) < 0.01:
            return f"{name} answers"
        if status == _BUSY and given.alive:
            return f"{name} is busy"
        tried.append(f"{name} answers {status}: {answer[:300].decode(errors='replace')}")
    raise ProbeError("; ".join(tried) or f"{given.repository} holds no release")


def main(arguments: list[str] | None = None) -> int:
    """0 where an inference is answered, else 1 and the reason."""
    parser = argparse.ArgumentParser(prog="python3 -m deploy.probe", description=__doc__)
    parser.add_argument("--repository", type=Path, required=True, help="model repository that Triton serves")
    parser.add_argument("--host", default="127.0.0.1", help="default %(default)s")
    parser.add_argument("--port", type=int, default=8000, help="of Triton's HTTP, default %(default)s")
    parser.add_argument("--timeout", type=float, default=8.0, help="seconds for an answer, default %(default)s")
    parser.add_argument("--alive", action="store_true", help="be content with a server that is busy")
    given = parser.parse_args(arguments)
    try:
        sys.stdout.write(probe(given) + "\n")
    except (ProbeError, OSError, ValueError, http.client.HTTPException) as error:
        sys.stderr.write(f"probe: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
