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


def is_helper() -> bool:
    """Whether this process was started by another one of the same run, to drive a further device."""
    return int(os.environ.get("LOCAL_RANK", "0")) > 0 or int(os.environ.get("NODE_RANK", "0")) > 0


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
    """Start the processes of all devices and connect them.

    With several devices this program is started again, with the same arguments, once for each further one.

    Raises:
        DeviceError: this machine lacks what was asked for.
    """
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
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        raise DeviceError(
            f"hardware.accelerator {config.accelerator}, devices {config.devices}, strategy {config.strategy}, precision "
            f"{config.precision}: {error} Correct these fields; accelerator auto takes what there is."
        ) from error
    fabric.launch()
    return fabric


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
