"""What `fit` promises about the folder it writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file

from training.transforms import evaluation_transform

FitCommand = Callable[..., int]

FILES = {"config.json", "model.safetensors", "classes.json", "validation.npz", "test.npz", "report.json"}
FILES |= {"history.json", "evaluation.html"}


def test_folder_holds_exactly_the_contract(member: Path) -> None:
    assert {path.name for path in member.iterdir()} == FILES


def test_timm_alone_reproduces_the_stored_test_logits(member: Path, photos: Path) -> None:
    model = timm.create_model(f"local-dir:{member}", pretrained=True).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
    with np.load(member / "test.npz", allow_pickle=False) as stored:
        batch = torch.stack([transform(Image.open(photos / "train_images" / name)) for name in stored["image_ids"]])
        with torch.inference_mode():
            logits = model(batch).numpy()
        assert stored["logits"].dtype == np.float32
        assert stored["labels"].dtype == np.int64
        np.testing.assert_allclose(logits, stored["logits"], atol=1e-5)


def test_pretrained_cfg_states_the_whole_transform(member: Path) -> None:
    stored = json.loads((member / "config.json").read_text())["pretrained_cfg"]
    assert stored["input_size"] == [3, 32, 32]
    assert (stored["tag"], stored["license"]) == ("cassava", None)
    assert (stored["interpolation"], stored["crop_pct"], stored["crop_mode"]) == ("bilinear", 0.9, "center")
    assert len(stored["mean"]) == len(stored["std"]) == 3
    photo = Image.effect_noise((70, 50), 60).convert("RGB")
    model = timm.create_model(f"local-dir:{member}")
    assert torch.equal(evaluation_transform(model)(photo), evaluation_transform(stored)(photo))


def test_everybody_may_read_the_weights(member: Path) -> None:
    assert (member / "model.safetensors").stat().st_mode & 0o444 == 0o444


def test_weights_are_stored_in_half_precision(member: Path) -> None:
    dtypes = {tensor.dtype for tensor in load_file(member / "model.safetensors").values()}
    assert dtypes == {torch.float16, torch.int64}


def test_report_names_data_split_code_and_averaging(member: Path) -> None:
    report = json.loads((member / "report.json").read_text())
    with np.load(member / "test.npz") as test, np.load(member / "validation.npz") as validation:
        assert report["split"]["hash"] == str(test["split_hash"]) == str(validation["split_hash"])
        assert report["split"]["sizes"]["test"] == len(test["labels"])
        assert not set(test["image_ids"]) & set(validation["image_ids"])
    assert report["data"]["licence"] == "none needed"
    assert len(report["data"]["photos_sha256"]) == 64
    metrics = report["metrics"]["test"]
    assert {"accuracy_micro", "f1_macro", "recall_macro", "ece_15_bins_l1", "recall_per_class"} <= metrics.keys()
    low, high = metrics["f1_macro_interval"]
    assert 0 <= low <= high <= 1
    assert report["versions"]["timm"] == timm.__version__
    assert str(member) not in json.dumps(report)


def test_classes_keep_the_label_order(member: Path) -> None:
    classes = json.loads((member / "classes.json").read_text())["classes"]
    assert [item["names"]["en"] for item in classes] == [
        "Cassava Bacterial Blight",
        "Cassava Brown Streak Disease",
        "Cassava Green Mottle",
        "Cassava Mosaic Disease",
        "Healthy",
    ]


def test_same_seed_same_weights(fit: FitCommand, member: Path, tmp_path: Path) -> None:
    assert fit(tmp_path / "again") == 0
    assert fit(tmp_path / "other", "--schedule.seed", "1") == 0
    first, again, other = (
        load_file(folder / "model.safetensors") for folder in (member, tmp_path / "again", tmp_path / "other")
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_evaluation_size_does_not_touch_the_weights(fit: FitCommand, member: Path, tmp_path: Path) -> None:
    assert fit(tmp_path / "larger", "--augmentation.crop_size", "32", "--model.input_size", "48") == 0
    small, large = (load_file(folder / "model.safetensors") for folder in (member, tmp_path / "larger"))
    assert all(torch.equal(small[name], large[name]) for name in small)
    assert json.loads((tmp_path / "larger" / "config.json").read_text())["pretrained_cfg"]["input_size"] == [3, 48, 48]


@pytest.mark.parametrize("balance", ["none", "loss"])
def test_other_recipes_train_too(fit: FitCommand, tmp_path: Path, balance: str) -> None:
    plain = [
        "--augmentation.mixup_alpha",
        "0",
        "--augmentation.cutmix_alpha",
        "0",
        "--augmentation.quarter_turns",
        "false",
    ]
    recipe = [
        "--loss.balance",
        balance,
        "--schedule.ema_decay",
        "0",
        "--model.weights",
        "float32",
        "--hardware.channels_last",
        "false",
    ]
    assert fit(tmp_path / "out", *plain, *recipe, "--schedule.epochs", "1") == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["configuration"]["loss"]["balance"] == balance


def test_the_last_batches_count_in_full_however_few_are_accumulated(fit: FitCommand, tmp_path: Path) -> None:
    words = ["--schedule.batch_size", "8", "--schedule.optimiser", "sgd", "--schedule.gradient_clip", "0"]
    words += ["--schedule.epochs", "1", "--model.weights", "float32", "--evaluation.page", "false"]
    for count in ("4", "9"):  # an epoch has four batches
        assert fit(tmp_path / count, *words, "--schedule.accumulate", count) == 0
    exactly, fewer = (load_file(tmp_path / count / "model.safetensors") for count in ("4", "9"))
    assert all(torch.equal(exactly[name], fewer[name]) for name in exactly)


def test_a_few_epochs_learn_the_tints(fit: FitCommand, tmp_path: Path) -> None:
    plain = ["--augmentation.mix_probability", "0", "--augmentation.erasing", "0", "--augmentation.hue", "0"]
    plain += ["--schedule.ema_decay", "0.5", "--evaluation.page", "false"]
    assert fit(tmp_path / "out", *plain, "--schedule.epochs", "12") == 0
    metrics = json.loads((tmp_path / "out" / "report.json").read_text())["metrics"]["test"]
    assert metrics["f1_macro"] > 0.8


def test_what_the_gate_holds_back_exits_with_three(
    fit: FitCommand, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(tmp_path / "out", "--schedule.epochs", "1", "--gate.f1_macro", "1.0") == 3
    printed = capsys.readouterr()
    assert "FAIL  F1 (macro)" in printed.out
    assert "held back by f1_macro" in printed.err
    assert f"member: {tmp_path / 'out'}" in printed.out
    assert (tmp_path / "out" / "model.safetensors").is_file()


def test_stopping_early_and_by_the_clock(fit: FitCommand, tmp_path: Path) -> None:
    still = ["--schedule.learning_rate", "1e-12", "--schedule.ema_decay", "0", "--schedule.epochs", "9"]
    still += ["--schedule.monitor", "validation_f1_macro", "--evaluation.page", "false"]
    assert fit(tmp_path / "early", *still, "--schedule.early_stopping", "2") == 0
    report = json.loads((tmp_path / "early" / "report.json").read_text())
    assert report["training"] == {"epochs": 3, "stopped": "no progress for 2 epochs"}
    assert fit(tmp_path / "clock", *still, "--schedule.max_minutes", "0.00001") == 0
    report = json.loads((tmp_path / "clock" / "report.json").read_text())
    assert report["training"] == {"epochs": 1, "stopped": "the limit of 1e-05 minutes"}


def test_the_best_epoch_is_kept_when_asked(fit: FitCommand, tmp_path: Path) -> None:
    wild = ["--schedule.epochs", "4", "--schedule.decay", "constant", "--schedule.learning_rate", "0.05"]
    wild += ["--schedule.ema_decay", "0", "--schedule.keep", "best", "--schedule.monitor", "validation_f1_macro"]
    assert fit(tmp_path / "out", *wild, "--evaluation.page", "false", "--model.weights", "float32") == 0
    history = json.loads((tmp_path / "out" / "history.json").read_text())
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    best = max(entry["validation_f1_macro"] for entry in history)
    assert report["metrics"]["validation"]["f1_macro"] == pytest.approx(best)


@pytest.mark.parametrize("loss", ["bi_tempered", "focal"])
def test_every_loss_and_optimiser_trains(fit: FitCommand, tmp_path: Path, loss: str) -> None:
    optimiser = {"bi_tempered": "muon", "focal": "sgd"}[loss]
    words = ["--loss.name", loss, "--loss.logit_adjustment", "0.3", "--schedule.optimiser", optimiser]
    words += ["--schedule.accumulate", "2", "--schedule.layer_decay", "0.8", "--schedule.epochs", "2"]
    assert fit(tmp_path / "out", *words, "--evaluation.page", "false") == 0
    history = json.loads((tmp_path / "out" / "history.json").read_text())
    assert all(np.isfinite(entry["train_loss"]) for entry in history)
