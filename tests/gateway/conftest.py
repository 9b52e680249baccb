"""One real Triton with a null model and one real gateway in front of it, shared by the tests of this room."""

from collections.abc import Iterator

import httpx2
import pytest
from null_repository import write_ensemble, write_null_model
from processes import GatewayProcess, TritonProcess, free_ports, running_gateway


@pytest.fixture(scope="session")
def null_triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonProcess]:
    """Triton with release 1, which answers at once."""
    repository = tmp_path_factory.mktemp("null_repository")
    write_null_model(repository)
    triton = TritonProcess(repository, free_ports(3), load=(write_ensemble(repository, 1),))
    triton.start()
    yield triton
    triton.stop()


@pytest.fixture(scope="session")
def gateway(null_triton: TritonProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A ready gateway with default settings."""
    with running_gateway(null_triton.grpc_url, tmp_path_factory.mktemp("gateway") / "log") as process:
        yield process


@pytest.fixture(scope="session")
def client(gateway: GatewayProcess) -> Iterator[httpx2.Client]:
    """HTTP client of the shared gateway."""
    with httpx2.Client(base_url=gateway.url, timeout=10) as http:
        yield http
