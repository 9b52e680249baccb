"""The MLflow tracking store: a SQLite file on this machine, or a server by its address."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from training.errors import TrackingError
from training.transfer.addresses import reason, showable

if TYPE_CHECKING:
    from mlflow import MlflowClient

DEFAULT = Path("build") / "mlflow" / "mlflow.db"
SQLITE = "sqlite:///"
_LIMITS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",  # seconds; MLflow's own is 120, seven times over
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


@dataclass(frozen=True)
class Store:
    """An open tracking store."""

    client: MlflowClient
    address: str
    """Where it is, fit to be shown."""
    artifacts: str | None
    """Where the files of a new experiment go; None where the server decides."""

    def experiment(self, name: str) -> str:
        """Id of the experiment of that name, made where there is none; a deleted one comes back.

        Raises:
            TrackingError: the server refuses.
        """
        with self.asked("open the experiment"):
            found = self.client.get_experiment_by_name(name)
            if found is None:
                return str(self.client.create_experiment(name, artifact_location=self.artifacts))
            if found.lifecycle_stage == "deleted":
                self.client.restore_experiment(found.experiment_id)
            return str(found.experiment_id)

    @contextmanager
    def asked(self, what: str) -> Iterator[None]:
        """Turn whatever MLflow raises inside into one error that names the store.

        Raises:
            TrackingError: what failed, and why.
        """
        with _asked(self.address, what):
            yield


def open_store(address: str) -> Store:
    """Open a store and ask it one question, so that a wrong address shows before training and not after it.

    Args:
        address: `sqlite:///FILE`, `http(s)://...`; empty: `MLFLOW_TRACKING_URI`, else `build/mlflow/mlflow.db`. A SQLite
            file is made where there is none, its artifacts lie in `artifacts/` beside it.

    Raises:
        TrackingError: MLflow is not installed, or nothing answers there.
    """
    address = address or os.environ.get("MLFLOW_TRACKING_URI", "") or f"{SQLITE}{DEFAULT.resolve()}"
    for name, value in _LIMITS.items():
        os.environ.setdefault(name, value)
    artifacts = None
    shown = showable(address)
    if address.startswith(SQLITE):
        file = Path(address.removeprefix(SQLITE)).resolve()
        shown, address, artifacts = str(file), f"{SQLITE}{file}", (file.parent / "artifacts").as_uri()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrackingError(
                f"{file.parent} cannot be made: {error}. Give --tracking.mlflow another file."
            ) from error
    elif not address.startswith(("http://", "https://")):
        raise TrackingError(f"--tracking.mlflow {shown}: give sqlite:///FILE, http(s)://SERVER, or off.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from mlflow import MlflowClient
    except ModuleNotFoundError as error:
        raise TrackingError(
            "MLflow is not installed: install requirements/training.txt, or say --tracking.mlflow off."
        ) from error
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with _asked(shown, "answer"):
        client = MlflowClient(address, registry_uri=address)
        client.search_experiments(max_results=1)
    return Store(client, shown, artifacts)


@contextmanager
def _asked(address: str, what: str) -> Iterator[None]:
    import requests
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # between MLflow and its libraries
            yield
    except (MlflowException, requests.RequestException, SQLAlchemyError, OSError) as error:
        raise TrackingError(
            f"MLflow at {address} did not {what}: {reason(error)}. Check --tracking.mlflow, or say off."
        ) from error
