"""The demo's own stack, shared by the tests that only ask it."""

from collections.abc import Iterator

import httpx2
import pytest
from demo_stack import Stack, running_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack on the demo release, shared by the tests that only ask it."""
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="session")
def http(stack: Stack) -> Iterator[httpx2.Client]:
    """HTTP client of it."""
    with httpx2.Client(base_url=stack.url, timeout=30) as client:
        yield client
