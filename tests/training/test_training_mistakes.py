"""A mistake in the data or the configuration ends with status 2 and a line that names it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from training.__main__ import main
from training.data.photos import open_photo

FitCommand = Callable[..., int]


def replace(old: str, new: str) -> Callable[[Path], object]:
    def change(root: Path) -> None:
        table = root / "train.csv"
        table.write_text(table.read_text().replace(old, new))

    return change


def truncate(root: Path) -> None:
    path = root / "train_images" / "1_03.jpg"
    path.write_bytes(path.read_bytes()[:400])


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing photo": (lambda root: (root / "train_images" / "1_03.jpg").unlink(), "1_03.jpg does not exist"),
    "truncated photo": (truncate, "1_03.jpg"),
    "text as photo": (lambda root: (root / "train_images" / "1_03.jpg").write_text("hi"), "1_03.jpg"),
    "no table": (lambda root: (root / "train.csv").unlink(), "train.csv does not exist"),
    "empty table": (lambda root: (root / "train.csv").write_text("image_id,label\n"), "lists no photos"),
    "no label column": (replace("image_id,label", "image_id,disease"), "lacks the column label"),
    "label of words": (replace("1_03.jpg,1", "1_03.jpg,CMD"), "'CMD' of 1_03.jpg must be 0 to 4"),
    "label out of range": (replace("1_03.jpg,1", "1_03.jpg,7"), "'7' of 1_03.jpg must be 0 to 4"),
    "label missing": (replace("1_03.jpg,1", "1_03.jpg"), "label None of 1_03.jpg"),
    "listed twice": (replace("1_03.jpg,1", "1_03.jpg,1\n1_03.jpg,2"), "1_03.jpg is listed twice"),
    "swapped label map": (
        lambda root: (root / "label_num_to_disease_map.json").write_text(
            '{"0":"Healthy","1":"a","2":"b","3":"c","4":"d"}'
        ),
        "calls label 0 'Healthy'",
    ),
    "other label map": (
        lambda root: (root / "label_num_to_disease_map.json").write_text('{"0":"Healthy"}'),
        "labels [0]",
    ),
    "broken label map": (lambda root: (root / "label_num_to_disease_map.json").write_text("[]"), "cannot be read as"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damaged_data(
    fit: FitCommand, own_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    damage, message = DAMAGE[case]
    damage(own_photos)
    assert fit(tmp_path / "out", data=own_photos) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--schedule.learning_rate", "fast"], "schedule.learning_rate"),
        (["--dataset.test_fraction", "0.45", "--dataset.validation_fraction", "0.4"], "must stay below 0.8"),
        (["--model.architecture", "resnet_of_dreams"], "resnet_of_dreams"),
        (["--model.arguments", '{"no_such_argument": 1}'], "no_such_argument"),
        (["--dataset.task", "coffee"], "No task file"),
        (["--model.architecture", "vit_tiny_patch16_224", "--augmentation.crop_size", "48"], "crops of 48 pixels"),
    ],
)
def test_bad_values(
    fit: FitCommand, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert fit(tmp_path / "out", *options) == 2
    assert message in capsys.readouterr().err


def test_unknown_option(fit: FitCommand, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(tmp_path / "out", "--schedule.learning_rat", "1") == 2
    assert "--schedule.learning_rat: no such flag. Did you mean --schedule.learning_rate?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schedule: {learning_speed: 1}", "schedule.learning_speed: no such key. Did you mean schedule.learning_rate?"),
        ("schedules: {}", "Did you mean schedule?"),
        ("[1, 2]", "must be a mapping"),
        ("{", "not valid YAML"),
    ],
)
def test_bad_preset(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str) -> None:
    preset = tmp_path / "mine.yaml"
    preset.write_text(text)
    assert main(["fit", "--config", str(preset), "--data", str(photos), "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err


def test_unknown_preset_lists_the_known(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--config", "nope", "--data", str(photos), "--out", str(tmp_path / "out")]) == 2
    assert "demo_cnn, demo_narrow" in capsys.readouterr().err


def test_unwritable_folder(fit: FitCommand, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    assert fit(tmp_path / "file" / "out", "--schedule.epochs", "1") == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"en", "fr"', '"fr"', "must contain 'en'"),
        ('"en", "fr"', '"en", "fr", "sw"', "lacks sw"),
        ('"key": "healthy"', '"key": "cassava_mosaic_disease"', "must differ"),
    ],
)
def test_incomplete_task(
    fit: FitCommand, tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, message: str
) -> None:
    from training.tasks import TASKS

    task = tmp_path / "mine.json"
    task.write_text((TASKS / "cassava.json").read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    assert fit(tmp_path / "out", "--dataset.task", str(task)) == 2
    assert message in capsys.readouterr().err


def test_photo_that_vanishes_is_named(tmp_path: Path) -> None:
    from training.errors import PhotoError

    with pytest.raises(PhotoError, match=r"gone\.jpg cannot be read"):
        open_photo(tmp_path / "gone.jpg")


def test_photos_are_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(tmp_path / "turned.jpg", exif=exif)
    assert open_photo(tmp_path / "turned.jpg").size == (20, 40)


@pytest.mark.parametrize(("arguments", "status"), [([], 2), (["train"], 2), (["--help"], 0)])
def test_usage(capsys: pytest.CaptureFixture[str], arguments: list[str], status: int) -> None:
    assert main(arguments) == status
    printed = capsys.readouterr()
    assert "usage: python -m training COMMAND" in (printed.out if status == 0 else printed.err)


def test_help_documents_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    from training.config.groups import TrainingConfig

    with pytest.raises(SystemExit) as stopped:
        main(["fit", "--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    for name, group in TrainingConfig.model_fields.items():
        assert group.annotation is not None
        for field, info in group.annotation.model_fields.items():
            assert f"--{name}.{field} " in text
            assert info.description


def test_weights_beyond_half_precision_are_refused(tmp_path: Path) -> None:
    from training.config.groups import ModelConfig
    from training.errors import ModelFolderError
    from training.folder import write_network
    from training.learning.networks import build_network
    from training.tasks import load_task

    network = build_network(ModelConfig(architecture="test_resnet", input_size=32), 5)
    next(network.parameters()).data.fill_(1e6)
    with pytest.raises(ModelFolderError, match="float16"):
        write_network(tmp_path / "out", network, load_task("cassava"), "float16")


def test_module_runs_as_a_program() -> None:
    run = subprocess.run([sys.executable, "-m", "training", "--help"], capture_output=True, text=True, check=True)
    assert "evaluate " in run.stdout
