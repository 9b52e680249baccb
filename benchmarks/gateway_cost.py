"""`python -m benchmarks.gateway_cost`: what the gateway adds to a gRPC call, and its rate beside LitServe and BentoML.

Every system has a null model, so that only the way there and back is measured. Direct calls and HTTP calls alternate
one by one in one run; the systems under load alternate by rounds. The load generator runs on the same cores.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import numpy as np
import tritonclient.grpc as grpc

from benchmarks import null_repository, photos, processes
from benchmarks.loads import closed
from benchmarks.loads.samples import failures
from benchmarks.machine import hardware, say, spread
from benchmarks.targets import Connection, HttpTarget

GATEWAY = "gateway, raw body"
GATEWAY_FORM = "gateway, form"
LITSERVE = "LitServe, form"
BENTOML = "BentoML, raw body"
BOUNDS_MS = {"baseline": 3.0, "progressive": 7.0}


def photo(progressive: bool, kilobytes: int = 150) -> bytes:
    """An 800x600 JPEG of about that size: a picture with structure, and noise to fill the bytes."""
    encoded = b""
    for noise in range(0, 64, 2):
        encoded = photos.leaf((800, 600), progressive=progressive, noise=noise, quality=80)
        if len(encoded) >= kilobytes * 1000:
            break
    return encoded


@contextmanager
def null_stack(folder: Path) -> Iterator[tuple[int, int]]:
    """Triton with the null model and a gateway with its defaults; yields gRPC's and the gateway's port."""
    repository = folder / "repository"
    null_repository.write(repository)
    gateway, http, grpc_port, metrics = processes.free_ports(4)
    triton = [processes.interpreter("triton"), "-m", "server", "--repository", str(repository)]
    triton += ["--http-port", str(http), "--grpc-port", str(grpc_port), "--metrics-port", str(metrics)]
    env = {
        **os.environ,
        "GATEWAY_PORT": str(gateway),
        "GATEWAY_TRITON_URL": f"127.0.0.1:{grpc_port}",
        "GATEWAY_DATA_DIR": str(folder / "state"),
        "GATEWAY_LOG_LEVEL": "warning",
    }
    command = [processes.interpreter("gateway"), "-m", "gateway"]
    with (
        processes.running(triton, dict(os.environ), http, "/v2/health/ready"),
        processes.running(command, env, gateway),
    ):
        yield grpc_port, gateway


@contextmanager
def litserve() -> Iterator[int]:
    """LitServe's port."""
    (port,) = processes.free_ports(1)
    command = [processes.interpreter("peers"), "benchmarks/peers/litserve_null.py", "--port", str(port)]
    with processes.running(command, dict(os.environ), port, "/health"):
        yield port


@contextmanager
def bentoml() -> Iterator[int]:
    """BentoML's port."""
    (port,) = processes.free_ports(1)
    command = [str(processes.ENVIRONMENTS / "peers/bin/bentoml"), "serve", "bentoml_null:NullModel"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--working-dir", "benchmarks/peers"]
    with tempfile.TemporaryDirectory() as home:
        env = {**os.environ, "BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": home}
        with processes.running(command, env, port, "/readyz"):
            yield port


def direct_call(port: int) -> Callable[[bytes], None]:
    """A gRPC call as a program beside Triton would make it, on one channel."""
    client = grpc.InferenceServerClient(f"127.0.0.1:{port}")
    outputs = [grpc.InferRequestedOutput(name) for name in null_repository.OUTPUTS]

    def call(image: bytes) -> None:
        tensor = grpc.InferInput("encoded_image", [1, len(image)], "UINT8")
        tensor.set_data_from_numpy(np.frombuffer(image, np.uint8)[np.newaxis])
        client.infer(null_repository.ENSEMBLE, [tensor], outputs=outputs, client_timeout=10).as_numpy("probabilities")

    return call


def added_ms(direct: Callable[[bytes], None], asked: Connection, image: bytes, calls: int) -> dict[str, float]:
    """Milliseconds at the median of alternating calls, after some to warm up: direct, by HTTP, their difference."""
    times: dict[str, list[float]] = {"direct": [], "HTTP": []}

    def by_http(photo: bytes) -> None:
        _ = asked.ask(photo).probabilities  # raises unless it was answered

    for number in range(calls + 20):
        for name, call in (("direct", direct), ("HTTP", by_http)):
            start = time.perf_counter()
            call(image)
            if number >= 20:
                times[name].append(1000 * (time.perf_counter() - start))
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {**medians, "added": medians["HTTP"] - medians["direct"]}


def measure(given: argparse.Namespace) -> dict[str, object]:
    """All figures of one run."""
    images = {"baseline": photo(progressive=False), "progressive": photo(progressive=True)}
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        say("starting Triton, the gateway, LitServe and BentoML")
        grpc_port, gateway = running.enter_context(null_stack(folder))
        targets = {
            GATEWAY: HttpTarget(gateway),
            GATEWAY_FORM: HttpTarget(gateway, form_field="file"),
            LITSERVE: HttpTarget(running.enter_context(litserve()), form_field="request"),
            BENTOML: HttpTarget(running.enter_context(bentoml())),
        }
        direct = direct_call(grpc_port)
        costs: dict[str, list[dict[str, float]]] = {}
        rates: dict[str, list[float]] = {name: [] for name in targets}
        for number in range(given.rounds):
            for kind, image in images.items():
                with closing(targets[GATEWAY].connect()) as asked:
                    costs.setdefault(kind, []).append(added_ms(direct, asked, image, given.calls))
            for name, target in targets.items() if number % 2 == 0 else reversed(targets.items()):
                with closed.clients(target, [images["baseline"]]) as these:
                    window = closed.measure(these, given.clients, given.seconds, given.seconds, cpu_s=lambda: 0.0)
                if failed := failures(these.samples):
                    raise SystemExit(f"bench: {name} failed {failed} times: its figures mean nothing.")
                rates[name].append(window.photos_per_second)
            say(f"round {number + 1} of {given.rounds}: " + ", ".join(f"{k} {v[-1]:.0f}/s" for k, v in rates.items()))
    sizes = {kind: len(image) for kind, image in images.items()}
    return {"hardware": hardware(), "photo_bytes": sizes, "clients": given.clients, "costs": costs, "rates": rates}


def table(result: dict[str, object]) -> str:
    """The figures as text: medians of the rounds, with their range."""
    lines = [f"{key}: {value}" for key, value in result["hardware"].items()]  # type: ignore[attr-defined]
    lines += ["", f"{'one client, milliseconds at the median':<42} median  (range)"]
    for kind, rounds in result["costs"].items():  # type: ignore[attr-defined]
        for name in ("direct", "HTTP", "added"):
            bound = f"   bound {BOUNDS_MS[kind]:g}" if name == "added" else ""
            lines.append(f"{kind + ', ' + name:<42} {spread([each[name] for each in rounds])}{bound}")
    lines += ["", f"{'requests per second, ' + str(result['clients']) + ' clients':<42} median  (range)"]
    for name, values in result["rates"].items():  # type: ignore[attr-defined]
        lines.append(f"{name:<42} {spread(values)}")
    return "\n".join(lines)


def main() -> int:
    """Measure, print the table, keep every figure as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway_cost", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="default %(default)s")
    parser.add_argument(
        "--calls", type=int, default=300, help="alternating pairs a round and photo, default %(default)s"
    )
    parser.add_argument("--clients", type=int, default=8, help="under load, default %(default)s")
    parser.add_argument("--seconds", type=float, default=8, help="of load a system and round, default %(default)s")
    parser.add_argument("--out", type=Path, default=Path("build/gateway_cost.json"), help="default %(default)s")
    given = parser.parse_args()
    result = measure(given)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n")
    sys.stdout.write(table(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
