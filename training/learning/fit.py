"""One training run, as a list of steps."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import Any, cast

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging
from torch.utils.data import DataLoader, Dataset, WeightedRandomSampler

from training.config.groups import TrainingConfig
from training.data.photos import CachedPhotos, fingerprint, open_photo, progress, read_photos
from training.data.split import Split, split_photos
from training.evaluation.metrics import compute_metrics
from training.evaluation.predictions import predict
from training.folder import PARTS, read_network, write_network, write_predictions, write_report
from training.learning.module import Classifier, build_network, class_weights
from training.report import build_report
from training.tasks import load_task
from training.transforms import TrainingTransform, evaluation_transform

log = logging.getLogger(__name__)


def fit(config: TrainingConfig, root: Path, out: Path) -> dict[str, Any]:
    """Train one member and write its folder.

    Two runs with the same configuration and photos on the same CPU give the same weights.

    Returns:
        The metrics of the validation and the test photos, computed from the stored weights.

    Raises:
        TrainingError: see `training.errors`.
    """
    started = time.monotonic()
    pl.seed_everything(config.schedule.seed, verbose=False)
    if config.hardware.threads:
        torch.set_num_threads(config.hardware.threads)
    task = load_task(config.dataset.task)
    photos = read_photos(root, task)
    fingerprints = [fingerprint(photo.path) for photo in progress(photos, "Hashing")]
    split = split_photos(photos, fingerprints, config.dataset)
    log.info("split %s: %s photos in %d groups", split.hash[:12], split.sizes, split.groups)

    network = build_network(config.model, len(task.classes))
    _train(network, config, split, len(task.classes))
    write_network(out, network, task, config.model.weights)

    stored = read_network(out)  # what is reported is what others will load
    metrics = {}
    for part in PARTS:
        predictions = predict(stored, getattr(split, part), split.hash)
        write_predictions(out, part, predictions)
        metrics[part] = compute_metrics(predictions.logits, predictions.labels, [info.key for info in task.classes])
    seconds = time.monotonic() - started
    write_report(out, build_report(config, task, root, photos, fingerprints, split, stored, metrics, seconds))
    return metrics


def _train(network: torch.nn.Module, config: TrainingConfig, split: Split, classes: int) -> None:
    options = config.schedule
    labels = [photo.label for photo in split.train]
    transform = TrainingTransform(config.augmentation, config.model)
    train = CachedPhotos(split.train, config.dataset.cache_size, transform)
    # Only to watch the run: the reported figures come from the original files.
    evaluate = evaluation_transform(network)
    validation = [(evaluate(open_photo(photo.path)), photo.label) for photo in split.validation]
    sampler = None
    if config.loss.balance == "sampler":
        weights = class_weights(labels, classes, config.loss.balance_power)[labels]
        sampler = WeightedRandomSampler(weights.tolist(), len(labels))
    module = Classifier(network, config, labels, classes)
    callbacks: list[Callback] = [_Progress(transform)]
    if options.ema_decay:
        callbacks.append(EMAWeightAveraging(decay=options.ema_decay))
    trainer = pl.Trainer(
        max_epochs=options.epochs,
        accelerator=config.hardware.accelerator,
        devices=1,
        precision=config.hardware.precision,
        gradient_clip_val=options.gradient_clip or None,
        deterministic=True,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=sys.stderr.isatty(),
        num_sanity_val_steps=0,
        check_val_every_n_epoch=max(1, options.epochs // 20),
    )
    # One photo left over would leave batch norm without a variance; a set smaller than one batch is kept whole.
    loader = DataLoader(
        train, options.batch_size, sampler=sampler, shuffle=sampler is None, drop_last=len(train) > options.batch_size
    )
    trainer.fit(module, loader, DataLoader(cast("Dataset[tuple[torch.Tensor, int]]", validation), options.batch_size))


class _Progress(Callback):
    """Log one line per validated epoch, and tell the transform when the clean epochs begin."""

    def __init__(self, transform: TrainingTransform) -> None:
        self._transform = transform
        self._started = time.monotonic()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        assert isinstance(pl_module, Classifier)
        self._transform.clean = pl_module.clean

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        figures = " ".join(f"{name} {float(value):.3f}" for name, value in sorted(trainer.callback_metrics.items()))
        log.info("epoch %d, %.0f s: %s", trainer.current_epoch + 1, time.monotonic() - self._started, figures)
