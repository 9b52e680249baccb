"""A release that is not fit changes nothing: the old one goes on answering, and nothing of the new one stays loaded."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from null_releases import NullRelease
from processes import GatewayProcess, TritonProcess, free_ports, wait_until
from stage import Load, Stage, staged
from tiny_networks import CLASSES, fill, production_repository

from export.production import production_members
from export.release import next_number

REFUSED = 3
FAILING = "a member fails on every photo"
UNFIT = {
    "a member raises while it loads": ({"spoiled": {"raises": True}}, "vit_base_384"),
    FAILING: ({"spoiled": {"probabilities": "none"}}, "does not answer"),
    "its probes are answered otherwise": ({"winner": 1, "promised_winner": 0}, "differently"),
    "its probabilities are none": ({"spoiled": {"probabilities": [2.0, 0, 0, 0, 0]}}, "no probabilities"),
    "it has no probes and answers nonsense": (
        {"probes": False, "says": {"probabilities": [0.1] * 5}},
        "no probabilities",
    ),
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Release 1 answers."""
    with staged(tmp_path_factory.mktemp("refusals"), NullRelease(1)) as started:
        yield started


@pytest.fixture(scope="module")
def gateway(stage: Stage) -> Iterator[GatewayProcess]:
    """In front of it."""
    with stage.gateway() as process:
        yield process


def is_away(stage: Stage, number: int) -> bool:
    """Whether nothing of a release is loaded, or in the way of a restart."""
    left = [path for path in stage.repository.glob(f"*/{number}") if path.parent.name != ".retired"]
    return number not in stage.releases_loaded() and not left


@pytest.mark.parametrize(("unfit", "reason"), UNFIT.values(), ids=UNFIT.keys())
def test_an_unfit_release_changes_nothing(
    stage: Stage, gateway: GatewayProcess, unfit: dict[str, object], reason: str
) -> None:
    number, before = next_number(stage.repository), stage.loaded()
    processes = stage.triton.pids()
    NullRelease(number, **unfit).write(stage.repository)
    with Load(gateway.url, clients=2) as load:
        said = stage.command("promote", str(number), code=REFUSED)
    load.check({1}, at_least=5)
    assert reason in said
    assert "Nothing was changed" in said
    assert is_away(stage, number)
    assert stage.loaded() == before
    if unfit is not UNFIT[FAILING][0]:  # Triton never ends a step whose sibling has failed a request
        wait_until(lambda: stage.triton.pids() <= processes, 10, "only the old processes")


def test_a_release_that_is_not_there_is_no_reason_to_unload_anything(stage: Stage, gateway: GatewayProcess) -> None:
    before = stage.loaded()
    assert "There is no release 99" in stage.command("promote", "99", code=1)
    assert stage.loaded() == before
    assert gateway.is_ready()


def test_a_step_of_another_shape_is_refused_before_triton_sees_it(stage: Stage, gateway: GatewayProcess) -> None:
    config = stage.repository / "average" / "config.pbtxt"
    number, kept = next_number(stage.repository), config.read_text()
    NullRelease(number).write(stage.repository)
    config.write_text(kept.replace("dims: 5", "dims: 6"))
    with Load(gateway.url, clients=2) as load:
        said = stage.command("promote", str(number), code=REFUSED)
    config.write_text(kept)
    load.check({1}, at_least=5)
    assert "another shape" in said
    assert is_away(stage, number)


def test_a_release_that_is_fit_is_promoted_after_all_these(stage: Stage, gateway: GatewayProcess) -> None:
    number = next_number(stage.repository)
    NullRelease(number).write(stage.repository)
    stage.command("promote", str(number))
    assert (stage.repository / f"leaf_ensemble_{number}").is_dir()
    stage.command("rollback")


@pytest.mark.long
def test_a_corrupt_network_is_refused_by_the_production_configuration(tmp_path: Path) -> None:
    repository, first = production_repository(tmp_path)
    triton = TritonProcess(repository, free_ports(3), load=(first,))
    triton.start()
    try:
        stage = Stage(tmp_path, triton)
        with stage.gateway() as gateway:
            members, before = production_members(CLASSES), stage.loaded()
            for number, kind in ((2, "cut off"), (3, "no ONNX")):
                fill(repository, members, number)
                network = repository / "vit_base_384" / str(number) / "model.onnx"
                whole = network.read_bytes()
                network.write_bytes(whole[: len(whole) // 2] if kind == "cut off" else b"\x00plan of another machine")
                with Load(gateway.url, clients=1, pause_s=0.2) as load:
                    stage.command("promote", str(number), code=REFUSED)
                assert {one.status for one in load.seen} == {200}
                assert is_away(stage, number)
                assert stage.loaded() == before
    finally:
        triton.stop()
