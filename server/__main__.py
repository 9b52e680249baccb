"""`python -m server`: a real Triton on the CPU, on a given model repository, bound to 127.0.0.1 unless it is the container's."""

import argparse
import sys
from pathlib import Path

from server.errors import ServerError
from server.launcher import HOST, ServerOptions, run


def parse(arguments: list[str] | None = None) -> ServerOptions:
    """Command line to options."""
    parser = argparse.ArgumentParser(prog="python -m server", description=__doc__)
    parser.add_argument("--repository", type=Path, required=True, help="model repository to serve")
    parser.add_argument("--http-port", type=int, default=8000, help="Triton's HTTP port (default %(default)s)")
    parser.add_argument("--grpc-port", type=int, default=8001, help="Triton's gRPC port (default %(default)s)")
    parser.add_argument("--metrics-port", type=int, default=8002, help="Triton's metrics port (default %(default)s)")
    parser.add_argument(
        "--load", action="append", default=[], help="model to load, repeatable (default: the newest release)"
    )
    parser.add_argument(
        "--precision",
        choices=("configured", "float32", "bfloat16", "int8"),
        default="configured",
        help="of the CPU engine (default: what each member's cpu_engine.json says)",
    )
    parser.add_argument(
        "--threads", type=int, default=0, help="threads of the CPU engine (default: one per usable core)"
    )
    parser.add_argument("--start-timeout", type=float, default=120.0, help="seconds until every model must be ready")
    parser.add_argument("--installation", type=Path, help="Triton's folder in a container (default: the wheel's)")
    parser.add_argument("--host", default=HOST, help="address to listen on; needs --installation (default %(default)s)")
    parser.add_argument("--verbose", action="store_true", help="show Triton's information lines too")
    parser.add_argument("extra", nargs="*", help="after --: further tritonserver arguments")
    given = parser.parse_args(arguments)
    return ServerOptions(
        repository=given.repository.resolve(),
        http_port=given.http_port,
        grpc_port=given.grpc_port,
        metrics_port=given.metrics_port,
        load=tuple(given.load),
        precision=given.precision,
        threads=given.threads,
        start_timeout_s=given.start_timeout,
        verbose=given.verbose,
        installation=given.installation,
        host=given.host,
        extra=tuple(given.extra),
    )


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 after a clean stop, 1 with one message when something is wrong."""
    try:
        return run(parse(arguments), lambda line: print(line, flush=True))  # noqa: T201
    except ServerError as error:
        sys.stderr.write(f"server: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
