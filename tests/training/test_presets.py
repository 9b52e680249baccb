"""Presets: all are valid, build on one another, and run."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm

import architectures  # noqa: F401
from training.__main__ import main
from training.config.command_line import configuration
from training.config.presets import known_presets, load_presets
from training.errors import ConfigurationError
from training.learning.schedules import stage_rates, stages_of

RECIPES = [name for name in known_presets() if "/" not in name and name != "debug"]
MAIN = ("cassava_efficientnet_b4", "cassava_vit_base_384", "cassava_resnet18", "cassava_efficientnet_b0")


def test_the_promised_ones_are_there() -> None:
    assert {*MAIN, "plantvillage_resnet50", "malaria_cnn", "folder", "synthetic"} <= set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_valid_and_names_a_network(name: str) -> None:
    config = configuration(load_presets(name))
    assert timm.is_model(config.model.architecture)
    tag = config.model.architecture if "." in config.model.architecture else None
    if config.model.pretrained:
        assert timm.models.is_model_pretrained(config.model.architecture)
    assert tag is None or tag in timm.list_models("*", pretrained=True)
    assert configuration(load_presets(f"{name},debug")).schedule.epochs == 2


@pytest.mark.parametrize("name", RECIPES)
def test_every_stage_reaches_its_rate(name: str) -> None:
    schedule = configuration(load_presets(name)).schedule
    for stage in stages_of(schedule):
        rates = stage_rates(schedule, stage, 10)
        assert rates.at(rates.steps // 2) >= 0.5 * rates.peak
        assert max(rates.at(step) for step in range(rates.steps // 2 + 1)) == rates.peak


def test_clean_epochs_leave_some_that_are_not(preset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "fit",
        "--config",
        f"{preset},augmentation/strong",
        "--data",
        "nowhere",
        "--augmentation.clean_epochs",
        "2",
    ]
    assert main(words) == 2
    told = capsys.readouterr().err
    assert "augmentation.clean_epochs is 2 and there are 2 epochs" in told
    assert "--augmentation.clean_epochs 0" in told
    assert main([*words, "--augmentation.mix_probability", "0", "--augmentation.erasing", "0"]) == 2
    assert "nowhere does not exist" in capsys.readouterr().err, "there is nothing to switch off"


def test_plantvillage_is_as_described() -> None:
    config = configuration(load_presets("plantvillage_resnet50"))
    first, second = config.schedule.stages
    assert (first.trainable, first.learning_rate, second.learning_rate) == ("head", 1e-4, 5e-5)
    assert isinstance(second.trainable, int)
    assert (config.schedule.decay, config.schedule.plateau_factor, config.schedule.plateau_patience) == (
        "plateau",
        0.3,
        10,
    )
    assert (config.dataset.validation_fraction, config.dataset.test_fraction) == (0.1, 0.1)
    assert (config.model.input_size, config.model.dropout) == (224, 0.4)
    assert config.dataset.duplicate_distance == 1


@pytest.mark.parametrize("name", MAIN[:2])
def test_main_presets_ask_for_more(name: str) -> None:
    gate = configuration(load_presets(name)).gate
    assert (gate.accuracy_micro, gate.f1_macro) == (0.88, 0.88)


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in RECIPES if name.startswith("cassava")])
def test_recipes_run_through_with_debug(name: str, photos: Path, tmp_path: Path) -> None:
    words = ["fit", "--config", f"{name},debug", "--data", str(photos), "--out", str(tmp_path / "out")]
    assert main(words) == 0


def test_later_ones_win_field_by_field(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("schedule: {epochs: 3, batch_size: 8}\nmodel: {input_size: 32}\n")
    (tmp_path / "mine.yaml").write_text("extends: base.yaml\nschedule: {epochs: 5}\n")
    (tmp_path / "last.yaml").write_text("model: {input_size: 64}\n")
    values = load_presets(f"{tmp_path / 'mine.yaml'},{tmp_path / 'last.yaml'}")
    assert values == {"schedule": {"epochs": 5, "batch_size": 8}, "model": {"input_size": 64}}


def test_stages_say_how_long_they_are(photos: Path, preset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from training.commands.fit import Fit
    from training.config.command_line import parse

    words = ["--config", str(preset), "--data", str(photos), "--schedule.stages"]
    assert parse(Fit, [*words, '[{"epochs": 4}, {"epochs": 3}]']).schedule.epochs == 7
    staged = ["--config", "folder", "--data", str(photos)]
    assert parse(Fit, [*staged, "--schedule.stages", "[]", "--schedule.epochs", "2"]).schedule.epochs == 2
    assert main(["fit", *staged, "--schedule.epochs", "2"]) == 2
    assert "the stages have 20" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: mine.yaml", "extends itself"),
        ("extends: 3", "must be a preset's name"),
        ("extends: augmentation/stron", "Did you mean augmentation/strong"),
    ],
)
def test_mistakes_in_extends(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        load_presets(str(tmp_path / "mine.yaml"))


def test_flags_win_over_presets(photos: Path, preset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from training.commands.fit import Fit
    from training.config.command_line import parse

    given = parse(Fit, ["--config", str(preset), "--data", str(photos), "--schedule.epochs", "7"])
    assert (given.schedule.epochs, given.schedule.batch_size) == (7, 16)
    assert main(["fit", "--config", str(preset), "--data", str(photos), "--schedule.precision", "16-mixed"]) == 2
    assert "Did you mean --hardware.precision?" in capsys.readouterr().err
