"""Starting, stopping and failing: what `python -m server` says and leaves behind."""

import contextlib
import os
import shutil
import signal
import socket
import sys
from pathlib import Path

import pytest
from processes import TritonProcess, free_ports, launch, wait_until
from tiny_networks import production_repository

from server import environment
from server.errors import InstallationError, PlatformError

Repository = tuple[Path, str]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Release 1 of tiny networks in the production configurations."""
    return production_repository(tmp_path)


def alive(pid: int) -> bool:
    """Whether a process runs."""
    with contextlib.suppress(OSError):
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)])
def test_a_signal_stops_triton_cleanly(repository: Repository, number: signal.Signals) -> None:
    triton = TritonProcess(repository[0], free_ports(3), load=())
    triton.start()
    assert triton.process is not None
    triton.wait_for_log("Triton is ready: leaf_ensemble_1")
    pids = triton.pids()
    triton.process.send_signal(number)
    assert triton.process.wait(30) == 0
    wait_until(lambda: not any(alive(pid) for pid in pids), 10, "Triton and its stubs are gone")


def test_triton_goes_when_the_launcher_is_killed(repository: Repository) -> None:
    triton = TritonProcess(repository[0], free_ports(3), load=())
    triton.start()
    assert triton.process is not None
    pids = triton.pids()
    triton.process.kill()
    triton.process.wait()
    wait_until(lambda: not any(alive(pid) for pid in pids), 40, "Triton and its stubs are gone")


def test_a_dead_triton_is_reported(repository: Repository) -> None:
    triton = TritonProcess(repository[0], free_ports(3), load=())
    triton.start()
    assert triton.process is not None
    triton.wait_for_log("Triton is ready")
    (server,) = [pid for pid in triton.pids() if b"tritonserver\0" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(server, signal.SIGKILL)
    assert triton.process.wait(30) == 1
    assert "Triton ended by itself with exit code -9" in triton.log()


def test_a_taken_port_is_named(repository: Repository) -> None:
    ports = free_ports(3)
    with socket.socket() as other:
        other.bind(("127.0.0.1", ports[1]))
        other.listen()
        result = launch(repository[0], ports=ports)
    assert result.returncode == 1
    assert f"Port {ports[1]} on 127.0.0.1 is taken" in result.stderr
    assert "--grpc-port" in result.stderr


@pytest.mark.parametrize("step", ["efficientnet_b4", "vit_base_384", "average"])
def test_a_missing_network_is_named(repository: Repository, step: str) -> None:
    (repository[0] / step / "1" / "model.onnx").unlink()
    result = launch(repository[0])
    assert result.returncode == 1
    assert f"{step}/1/model.onnx is missing" in result.stderr
    assert "make export" in result.stderr


def test_a_missing_pipeline_is_named(repository: Repository) -> None:
    (repository[0] / "preprocess" / "1" / "dali.py").unlink()
    assert "preprocess/1/dali.py is missing" in launch(repository[0]).stderr


def test_a_missing_step_is_named(repository: Repository) -> None:
    shutil.rmtree(repository[0] / "average")
    assert "the step 'average' is not in this repository" in launch(repository[0]).stderr


def test_an_unreadable_configuration_is_named(repository: Repository) -> None:
    (repository[0] / "average" / "config.pbtxt").write_text("name: average {")
    assert "is not a Triton model configuration" in launch(repository[0]).stderr


def test_a_repository_without_release_says_how_to_write_one(tmp_path: Path) -> None:
    result = launch(tmp_path)
    assert result.returncode == 1
    assert "holds no release" in result.stderr
    assert "does not exist" in launch(tmp_path / "nowhere").stderr


@pytest.mark.parametrize("step", ["vit_base_384", "average"])
def test_a_broken_network_ends_with_tritons_last_lines(repository: Repository, step: str) -> None:
    (repository[0] / step / "1" / "model.onnx").write_bytes(b"not a network")
    result = launch(repository[0])
    assert result.returncode == 1
    assert f"failed to load '{step}' version 1" in result.stderr
    assert "Triton ended with exit code 1 while loading leaf_ensemble_1" in result.stderr


def test_too_slow_a_start_is_given_up(repository: Repository) -> None:
    result = launch(repository[0], "--start-timeout", "0.01")
    assert result.returncode == 1
    assert "--start-timeout" in result.stderr


def test_numpy_2_is_refused() -> None:
    with pytest.raises(InstallationError, match=r"numpy 2\.\d.*reads arrays of numpy 2 wrongly"):
        environment.check_numpy()  # the tests' own environment has it


def test_an_environment_without_triton_is_refused() -> None:
    with pytest.raises(InstallationError, match="make install-server"):
        environment.find_installation()  # the tests' own environment has none


@pytest.mark.parametrize(("system", "machine"), [("linux", "aarch64"), ("darwin", "arm64")])
def test_a_simulated_other_platform_is_refused(monkeypatch: pytest.MonkeyPatch, system: str, machine: str) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    with pytest.raises(PlatformError, match=f"this is {machine} {system}"):
        environment.find_installation()


def test_a_simulated_missing_libpython_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sysconfig.get_config_var", lambda _name: None)
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))

    def not_found(_name: str) -> None:
        raise OSError

    monkeypatch.setattr("ctypes.CDLL", not_found)
    with pytest.raises(InstallationError, match=r"libpython3\.\d+.*apt-get install libpython3"):
        environment.find_libpython()


def test_the_wheels_triton_is_for_this_machine_alone(tmp_path: Path) -> None:
    refused = launch(tmp_path, "--host", "0.0.0.0")
    assert refused.returncode == 1
    assert "listens on 127.0.0.1 only. Leave --host out" in refused.stderr


def test_a_folder_without_triton_is_named(tmp_path: Path) -> None:
    refused = launch(tmp_path, "--installation", str(tmp_path))
    assert refused.returncode == 1
    assert f"{tmp_path}/bin/tritonserver is missing" in refused.stderr
