"""Out-of-fold predictions for trained members: beside their own, where export looks for them.

A threshold that is fitted on them comes from all photos but the test photos, not from the few that chose the member's epoch.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.config.groups import TrainingConfig
from training.errors import ModelFolderError
from training.folder import Predictions, read_predictions, read_test, write_predictions
from training.report import LEARNING, same_recipe

OOF = "oof"


def check_members(members: Path, configs: Sequence[TrainingConfig]) -> None:
    """Before any training: every recipe has its member, trained by it.

    Raises:
        ModelFolderError: names the member that is missing, or whose recipe is another.
    """
    for config in configs:
        folder = members / config.member
        file = folder / "report.json"
        try:
            stored = json.loads(file.read_text(encoding="utf-8"))["configuration"]
            same = same_recipe(stored, config, LEARNING)
        except FileNotFoundError as error:
            raise ModelFolderError(
                f"{file} does not exist: --members is a folder with a trained-model folder called {config.member}."
            ) from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelFolderError(f"{file} cannot be read: {error!r}. Train the member again.") from error
        if not same:
            raise ModelFolderError(
                f"{folder} was trained by another recipe: what networks of this one answer says nothing of it. Give the "
                "--config that trained it."
            )


def hand_over(out_of_fold: Predictions, folder: Path) -> None:
    """Write one member's `oof.npz`.

    Raises:
        ModelFolderError: the member was trained or tested on other photos.
    """
    validation, test = read_predictions(folder, "validation"), read_test(folder)
    tested = np.intersect1d(test.image_ids, out_of_fold.image_ids)
    labels = dict(zip(out_of_fold.image_ids.tolist(), out_of_fold.labels.tolist(), strict=True))
    known = [labels.get(name) for name in validation.image_ids.tolist()]
    if len(tested) or known != validation.labels.tolist():
        raise ModelFolderError(
            f"{folder} was trained on other photos, or split otherwise: its test photos must not be among those of the folds, "
            "and its validation photos must. Give the --data and the dataset fields that trained it."
        )
    write_predictions(folder, OOF, out_of_fold)
