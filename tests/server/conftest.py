"""One real Triton on the production configurations, shared by the tests of this room."""

from collections.abc import Iterator

import pytest
import tritonclient.grpc as grpc
from processes import TritonProcess, free_ports
from tiny_networks import production_repository


@pytest.fixture(scope="session")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonProcess]:
    """Triton serving release 1 of the production configurations."""
    repository, ensemble = production_repository(tmp_path_factory.mktemp("production"))
    process = TritonProcess(repository, free_ports(3), load=(ensemble, "leaf_ensemble"))
    process.start()
    yield process
    process.stop()


@pytest.fixture(scope="session")
def client(triton: TritonProcess) -> Iterator[grpc.InferenceServerClient]:
    """A gRPC client of it."""
    with grpc.InferenceServerClient(triton.grpc_url) as connection:
        yield connection
