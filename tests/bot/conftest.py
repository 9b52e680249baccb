"""One real Triton with a null model that explains, and one real gateway with keys; a Bot API server and a bot for each module."""

from collections.abc import Iterator

import httpx2
import pytest
from bot_process import BotProcess, running_bot
from leaf_gateway import LeafGateway, make_key
from messenger import Messenger, running_messenger
from null_repository import EXPLAINED
from processes import TritonProcess, free_ports, running_gateway
from several import triton_with


@pytest.fixture(scope="session")
def explaining_triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonProcess]:
    """Triton with a null model whose release has activation maps and an outlier score."""
    with triton_with(
        tmp_path_factory.mktemp("explaining"), {**EXPLAINED, "crop": {"en": "Cassava", "sw": "Muhogo"}}
    ) as triton:
        yield triton


@pytest.fixture(scope="session")
def gateway(explaining_triton: TritonProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LeafGateway]:
    """A gateway that knows the bot by a key."""
    folder = tmp_path_factory.mktemp("gateway")
    bot_key = make_key(folder / "state", "bot", "predict", "delegate")
    expert_key = make_key(folder / "state", "expert", "predict", "review", "admin")
    settings = {"data_dir": folder / "state", "auth": "required", "rate_limit": "5000/minute"}
    with (
        running_gateway(explaining_triton.grpc_url, folder / "log", **settings) as process,
        httpx2.Client(base_url=process.url, headers={"X-API-Key": expert_key}, trust_env=False) as expert,
    ):
        yield LeafGateway(process.url, folder / "state", bot_key, expert)


@pytest.fixture(scope="module")
def messenger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Messenger]:
    """A Bot API server for one module."""
    with running_messenger(tmp_path_factory.mktemp("messenger") / "log") as running:
        yield running


@pytest.fixture(scope="module")
def bot(
    messenger: Messenger,
    gateway: LeafGateway,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[BotProcess]:
    """A bot for one module; the module's SETTINGS are the bot's, by field name."""
    settings = {
        "gateway_key": gateway.bot_key,
        "http_port": free_ports(1)[0],
        **getattr(request.module, "SETTINGS", {}),
    }
    with running_bot(messenger, gateway.url, tmp_path_factory.mktemp("bot"), **settings) as running:
        yield running
