"""`python -m demo`: start the stack on the demo release, send one photo, print the diagnosis.

Standard library only. The JSON reply is the last line of standard output.
"""

import argparse
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
REPOSITORY = ROOT / "demo" / "model_repository"
PHOTO = ROOT / "demo" / "leaf.jpg"
LOG = ROOT / "build" / "demo.log"
STATE = ROOT / "build" / "demo-state"
START_TIMEOUT_S = 90
REQUEST_TIMEOUT_S = 30
BAR = 30


class DemoError(Exception):
    """Printed as one message, exit code 1."""


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--photo", type=Path, default=PHOTO, help="leaf photo to send (default: a drawn leaf)")
    parser.add_argument("--once", action="store_true", help="stop after the answer")
    parser.add_argument("--gateway-port", type=int, default=8080, help="default %(default)s")
    parser.add_argument("--triton-python", required=True, help="interpreter of Triton's environment")
    for name in ("http", "grpc", "metrics"):
        parser.add_argument(f"--{name}-port", type=int, help="Triton's")
    return parser.parse_args(arguments)


def start_stack(given: argparse.Namespace) -> subprocess.Popen[bytes]:
    """Triton and the gateway, their logs in a file."""
    command = [sys.executable, "-m", "deploy.local", "--repository", str(REPOSITORY)]
    command += ["--gateway-port", str(given.gateway_port), "--triton-python", given.triton_python]
    for name in ("http", "grpc", "metrics"):
        if port := getattr(given, f"{name}_port"):
            command += [f"--{name}-port", str(port)]
    check_port(given.gateway_port)
    LOG.parent.mkdir(exist_ok=True)
    with LOG.open("wb") as log:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={"GATEWAY_DATA_DIR": str(STATE), **os.environ},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def check_port(port: int) -> None:
    """Raises DemoError where somebody listens already: his answers must not be taken for the demo's."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise DemoError(
                f"port {port} is taken: stop what listens there, or choose another with GATEWAY_PORT."
            ) from None


def wait_until_ready(stack: subprocess.Popen[bytes], port: int) -> None:
    """Raises DemoError with the end of the log when the stack does not come up."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if stack.poll() is not None:
            raise DemoError(f"the stack did not start; the end of {LOG.relative_to(ROOT)}:\n{log_end()}")
        try:
            if request(port, "GET", "/health/ready", timeout_s=3)[0] == http.client.OK:
                return
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.1)
    raise DemoError(f"not ready after {START_TIMEOUT_S} s; the end of {LOG.relative_to(ROOT)}:\n{log_end()}")


def log_end(lines: int = 15) -> str:
    """The last lines of the stack's log."""
    return "\n".join(LOG.read_text(errors="replace").splitlines()[-lines:])


def request(
    port: int, method: str, path: str, body: bytes | None = None, timeout_s: float = REQUEST_TIMEOUT_S
) -> tuple[int, Any]:
    """Status and parsed JSON of one HTTP exchange with the gateway."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request(method, path, body, {"Content-Type": "application/octet-stream"} if body else {})
        response = connection.getresponse()
        content = response.read()
        return response.status, json.loads(content)
    except ValueError as error:
        raise DemoError(
            f"port {port} is answered by something else than the gateway: choose another GATEWAY_PORT."
        ) from error
    finally:
        connection.close()


def readable(photo: Path, reply: dict[str, Any]) -> str:
    """The reply as a person reads it."""
    verdict = {
        "accepted": "likely",
        "uncertain": "not sure; could be: " + ", ".join(reply["prediction_set"]),
        "rejected": "cannot tell: this may not be a leaf it knows",
    }[reply["decision"]]
    lines = [f"{photo.name}: {reply['class_name']} ({reply['confidence']:.0%}) - {verdict}", ""]
    for name, probability in sorted(reply["probabilities"].items(), key=lambda item: -item[1]):
        lines.append(f"  {name:<30} {'█' * round(BAR * probability):<{BAR}} {probability:6.1%}")
    members = ", ".join(member["name"] for member in reply["members"])
    return "\n".join([*lines, "", f"  release {reply['release']} ({members}), {reply['timings_ms']['total']:.0f} ms"])


def read(photo: Path) -> bytes:
    """The photo; raises DemoError where there is none."""
    try:
        return photo.read_bytes()
    except OSError as error:
        raise DemoError(f"cannot read {photo} ({error.strerror}): give an image file with PHOTO=path.") from None


def diagnose(given: argparse.Namespace, photo: bytes) -> None:
    """Send the photo and print the answer.

    Raises:
        DemoError: the gateway refuses it.
    """
    try:
        status, reply = request(given.gateway_port, "POST", "/v1/predict", photo)
    except (OSError, http.client.HTTPException) as error:
        raise DemoError(f"the gateway did not answer ({error}); its log is {LOG.relative_to(ROOT)}.") from error
    if status != http.client.OK:
        raise DemoError(f"{given.photo} was refused: {reply.get('title', status)}. {reply.get('detail', '')}")
    address = f"http://127.0.0.1:{given.gateway_port}"
    sys.stdout.write(
        f"\n{readable(given.photo, reply)}\n\n"
        "  The demo release is small and weak (demo/MODEL_CARD.md): it shows the path, not the quality.\n"
        f"  In a browser: {address}/   operators: {address}/dashboard   API: {address}/docs\n"
        f"  Send your own: curl --data-binary @leaf.jpg {address}/v1/predict\n\n"
        f"{json.dumps(reply, ensure_ascii=False)}\n"
    )
    sys.stdout.flush()


def interrupted(_signal: int, _frame: FrameType | None) -> None:
    """Both signals end the demo alike, also where the shell that started it ignores Ctrl-C."""
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 after an answer, 1 with one message when there is none."""
    given = parse(arguments)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, interrupted)
    stack = None
    try:
        photo = read(given.photo)  # before anybody waits for a start
        sys.stderr.write("demo: starting Triton and the gateway ...\n")
        stack = start_stack(given)
        wait_until_ready(stack, given.gateway_port)
        diagnose(given, photo)
        if not given.once:
            sys.stderr.write("demo: running until Ctrl-C\n")
            stack.wait()
            raise DemoError(f"the stack ended; the end of {LOG.relative_to(ROOT)}:\n{log_end()}")
    except DemoError as error:
        sys.stderr.write(f"demo: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        if stack is not None:
            stack.send_signal(signal.SIGTERM)
            stack.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
