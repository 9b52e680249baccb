"""What `check` and `explore` begin with: the photos of a folder, classes read off it where nobody names them."""

from __future__ import annotations

from pathlib import Path

from training.config.command_line import ConfiguredCommand
from training.config.groups import TrainingConfig
from training.data.dataset import Dataset, survey
from training.data.layouts import described
from training.data.synthetic import data_folder


def surveyed(command: ConfiguredCommand) -> tuple[TrainingConfig, Path, Dataset]:
    """The configuration with its task, the data folder, and every photo opened.

    Raises:
        DataError, ConfigurationError: as `data_folder` and `survey`.
    """
    config = command.training
    config = config.model_copy(update={"dataset": described(config.dataset, command.config)})
    root = data_folder(command.data, config.dataset)
    return config, root, survey(root, config.dataset)
