"""A real MLflow server: registering over HTTP, and what its end in mid-training costs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from made_members import make_member
from processes import free_ports, wait_until
from test_runs import log_epoch, start

from training.__main__ import main
from training.errors import TrackingError
from training.tracking.registry import model_folder
from training.tracking.store import open_store

pytestmark = pytest.mark.long


@contextmanager
def mlflow_server(folder: Path, port: int) -> Iterator[str]:
    """`mlflow server` on a database and artifacts in `folder`."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder / 'server.db'}",
        "--artifacts-destination",
        str(folder / "files"),
    ]
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        try:
            return httpx2.get(f"{url}/health", timeout=5).is_success
        except httpx2.TransportError:
            return False

    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_until(answers, 300, "MLflow answers")
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_server_that_ends_in_mid_training_costs_nothing_but_the_registration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    monkeypatch.chdir(tmp_path)
    (port,) = free_ports(1)
    folder = make_member(tmp_path / "net", task="remote")
    with mlflow_server(tmp_path, port) as url:
        run = start("remote", mlflow=url)
        log_epoch(run.loggers, 0, validation_loss=0.9)
    with run:
        log_epoch(run.loggers, 1, validation_loss=0.5)
        assert "Training goes on" in caplog.text
        with pytest.raises(TrackingError, match=f"python -m training gate --model {folder}"):
            run.finish(folder, {"test": {"f1_macro": 0.95}})
    with mlflow_server(tmp_path, port):
        assert main(["gate", "--model", str(folder), "--tracking.mlflow", url]) == 0
        store = open_store(url)
        assert len(store.client.get_metric_history(run.run_id, "validation_loss")) == 1
        aliases = store.client.get_registered_model("remote-net").aliases
        assert {alias: int(number) for alias, number in aliases.items()} == {"candidate": 1, "champion": 1}
        fetched = model_folder("models:/remote-net@champion", url)
    assert {file.name: file.read_bytes() for file in fetched.iterdir()} == {
        file.name: file.read_bytes() for file in folder.iterdir()
    }
