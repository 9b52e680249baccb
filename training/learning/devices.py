"""Devices and precision of a run (Lightning Fabric); several by flags alone."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from lightning.fabric import Fabric
from lightning.fabric.utilities.exceptions import MisconfigurationException

from training.config.running import HardwareConfig
from training.errors import ConfigurationError, DeviceError

_MEETING = {"MASTER_ADDR", "MASTER_PORT", "NODE_RANK"}
"""What processes on several machines must know to find one another."""


def is_helper() -> bool:
    """Whether this process drives a further device of a run, whose first process writes and speaks.

    torchrun states `RANK` among all processes. Lightning's own launcher states `LOCAL_RANK`, the number on this machine,
    and takes the machine's number from `NODE_RANK` or `GROUP_RANK`.
    """
    if _by_torchrun():
        return int(os.environ["RANK"]) > 0
    machine = os.environ.get("NODE_RANK", os.environ.get("GROUP_RANK", "0"))
    return int(os.environ.get("LOCAL_RANK", "0")) > 0 or int(machine) > 0


def one_device(config: HardwareConfig, instead: str) -> None:
    """Refuse several devices where one process trains several networks one after the other.

    Raises:
        ConfigurationError: says what to do instead.
    """
    if config.devices != 1 or config.num_nodes != 1:
        raise ConfigurationError(
            f"hardware.devices {config.devices}, num_nodes {config.num_nodes}: several devices train one network, by `fit`; "
            f"give 1 here. {instead}"
        )


def launch(config: HardwareConfig) -> Fabric:
    """Start the processes of all devices and connect them; those of torchrun are connected as they are.

    With several devices this program is started again, with the same arguments, once for each further one.

    Raises:
        DeviceError: this machine lacks what was asked for, or another number of processes was started than asked for.
    """
    _check_launcher(config)
    for chatty in ("lightning.fabric", "lightning.pytorch"):  # importing them has set INFO
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        fabric = Fabric(
            accelerator=config.accelerator,
            strategy=config.strategy,
            devices=config.devices,
            num_nodes=config.num_nodes,
            precision=config.precision,
        )
        fabric.launch()
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        raise DeviceError(
            f"hardware.accelerator {config.accelerator}, devices {config.devices}, num_nodes {config.num_nodes}, strategy "
            f"{config.strategy}, precision {config.precision}: {error} Correct these fields; accelerator auto takes what "
            "there is."
        ) from error
    return fabric


def _by_torchrun() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ


def _check_launcher(config: HardwareConfig) -> None:
    several = config.devices != 1 or config.num_nodes != 1
    if _by_torchrun():
        started = int(os.environ["WORLD_SIZE"])
        if config.devices * config.num_nodes != started:
            raise DeviceError(
                f"torchrun has started {started} processes, but hardware.devices {config.devices} and num_nodes "
                f"{config.num_nodes} ask for others: give devices the number of --nproc-per-node, num_nodes that of --nnodes."
            )
    elif several and "SLURM_NTASKS" in os.environ and os.environ.get("SLURM_JOB_NAME") not in {"bash", "interactive"}:
        raise DeviceError(
            "In a Slurm job several devices are driven by torchrun, once per machine: srun --ntasks-per-node 1 torchrun "
            "--nnodes ... --nproc-per-node ... --rdzv-backend c10d --rdzv-endpoint ... -m training fit ..."
        )
    elif config.num_nodes > 1 and (missing := _MEETING - os.environ.keys()):
        raise DeviceError(
            f"hardware.num_nodes is {config.num_nodes}, but {', '.join(sorted(missing))} is not set: start the command by "
            "torchrun, or on each machine with MASTER_ADDR and MASTER_PORT of the first one and NODE_RANK 0, 1 ..."
        )


@contextmanager
def arithmetic(config: HardwareConfig, device: torch.device) -> Iterator[None]:
    """Reproducible arithmetic on the CPU, the fastest on a GPU; threads as configured."""
    before, benchmark = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.use_deterministic_algorithms(device.type == "cpu")
    torch.backends.cudnn.benchmark = device.type == "cuda"
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch.backends.cudnn.benchmark = benchmark
