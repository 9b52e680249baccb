"""Serves what all processes of the gateway count, on a port of its own, from the process that outlives them."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from gateway.errors import AddressTakenError
from gateway.settings import Settings

log = structlog.get_logger()

_FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


@contextmanager
def served_metrics(settings: Settings) -> Iterator[None]:
    """Give all processes started in the block one folder for their figures, and serve their sum where that is set.

    Enter it before prometheus_client is imported, which decides then whether figures are shared.

    Raises:
        AddressTakenError: `metrics_port` is taken.
    """
    with tempfile.TemporaryDirectory(prefix="leaf-gateway-metrics-", ignore_cleanup_errors=True) as folder:
        os.environ[_FOLDER_VARIABLE] = folder
        try:
            if settings.metrics_port:
                with _server(settings.metrics_host, settings.metrics_port, Path(folder)):
                    yield
            else:
                yield
        finally:
            os.environ.pop(_FOLDER_VARIABLE, None)


@contextmanager
def _server(host: str, port: int, folder: Path) -> Iterator[None]:
    from prometheus_client import CollectorRegistry, start_http_server
    from prometheus_client.metrics_core import Metric
    from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
    from prometheus_client.registry import Collector

    class LiveProcesses(Collector):
        """The sum of all files; gauges of processes that have ended are forgotten, their counters stay."""

        def __init__(self) -> None:
            self._files = MultiProcessCollector(None, str(folder))  # type: ignore[no-untyped-call]

        def collect(self) -> Iterator[Metric]:
            for pid in {int(file.stem.rpartition("_")[2]) for file in folder.glob("gauge_live*.db")}:
                if not Path(f"/proc/{pid}").exists():
                    mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
            yield from self._files.collect()  # type: ignore[no-untyped-call]

    registry = CollectorRegistry(auto_describe=False)
    registry.register(LiveProcesses())
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise AddressTakenError(
            f"Metrics cannot be served on {host}:{port} ({error.strerror}): choose another GATEWAY_METRICS_PORT or "
            "GATEWAY_METRICS_HOST, or 0 for none."
        ) from error
    log.info("metrics served", address=f"http://{host}:{port}/metrics")
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
