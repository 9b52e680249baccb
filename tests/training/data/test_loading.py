"""What training is fed: seeded by item, the same from memory, disk, workers and devices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from training.config.groups import AugmentationConfig, DatasetConfig, ModelConfig, TrainingConfig
from training.data.cropping import decode_crop, draw_box, upright_size
from training.data.layouts import list_photos
from training.data.loading import EpochSampler, EvaluationPhotos, TrainingPhotos
from training.data.memory import fits_memory, memory_bytes
from training.data.photos import Photo, open_photo
from training.errors import PhotoError


def config(cache: str) -> TrainingConfig:
    """Crops of 32 pixels."""
    return TrainingConfig(
        dataset=DatasetConfig(cache=cache, cache_size=48),  # type: ignore[arg-type]
        model=ModelConfig(input_size=32),
        augmentation=AugmentationConfig(),
    )


def noisy(crop: torch.Tensor) -> torch.Tensor:
    """A transform that draws random numbers."""
    return crop.float() + torch.randn(crop.shape)


@pytest.fixture(scope="module")
def listed(photos: Path) -> list[Photo]:
    """All photos of the shared set."""
    return list_photos(photos, DatasetConfig()).photos


@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_an_item_depends_on_its_seed_alone(listed: list[Photo], cache: str) -> None:
    data = TrainingPhotos(listed, config(cache), noisy)
    before = torch.get_rng_state()
    first = data[(3, 17)]
    assert torch.equal(torch.get_rng_state(), before)  # torch's own numbers are left as they were
    torch.rand(5)
    assert torch.equal(data[(3, 17)][0], first[0])
    assert not torch.equal(data[(3, 18)][0], first[0])
    assert first[1] == listed[3].label
    assert first[0].shape == (3, 32, 32)


def test_workers_change_nothing(listed: list[Photo]) -> None:
    data = TrainingPhotos(listed[:12], config("disk"), noisy)
    sampler = EpochSampler(12, seed=1)
    alone, helped = (
        torch.cat([batch[0] for batch in DataLoader(data, 4, sampler=sampler, num_workers=workers)])
        for workers in (0, 1)
    )
    assert torch.equal(alone, helped)


def test_memory_and_disk_see_nearly_the_same(listed: list[Photo]) -> None:
    """The files are 64 x 48: neither shrinks them."""
    memory, disk = (TrainingPhotos(listed, config(cache), lambda crop: crop.float()) for cache in ("memory", "disk"))
    for key in EpochSampler(len(listed), 0):
        assert (memory[key][0] - disk[key][0]).abs().mean() < 1


def test_an_epoch_is_a_permutation_that_follows_seed_and_epoch() -> None:
    def keys(seed: int, epoch: int) -> list[tuple[int, int]]:
        sampler = EpochSampler(50, seed)
        sampler.set_epoch(epoch)
        assert len(sampler) == 50
        return list(sampler)

    assert sorted(index for index, _ in keys(0, 0)) == list(range(50))
    assert keys(0, 0) == keys(0, 0)
    assert len({tuple(keys(0, 0)), tuple(keys(0, 1)), tuple(keys(1, 0)), tuple(keys(1, 1))}) == 4
    assert len({seed for _, seed in keys(0, 0)} | {seed for _, seed in keys(0, 1)}) == 100


def test_weights_decide_what_is_drawn() -> None:
    sampler = EpochSampler(1000, 0, weights=[1.0] * 500 + [3.0] * 500)
    drawn = np.array([index for index, _ in sampler])
    assert np.mean(drawn >= 500) == pytest.approx(0.75, abs=0.05)


def test_devices_share_an_epoch_without_changing_it() -> None:
    whole = list(EpochSampler(10, 4))
    parts = [list(EpochSampler(10, 4, replicas=3, rank=rank)) for rank in range(3)]
    assert [len(part) for part in parts] == [4, 4, 4]
    dealt = [key for turn in zip(*parts, strict=True) for key in turn]
    assert dealt == whole + whole[:2]


def test_boxes_lie_inside_and_have_the_asked_area() -> None:
    torch.manual_seed(0)
    areas = []
    for _ in range(500):
        left, top, width, height = draw_box(400, 300, (0.25, 0.5), (0.75, 4 / 3))
        assert 0 <= left <= 400 - width
        assert 0 <= top <= 300 - height
        assert 0.72 <= width / height <= 1.38
        areas.append(width * height / 120_000)
    assert 0.24 <= min(areas) < 0.27
    assert 0.47 < max(areas) <= 0.51


@pytest.mark.parametrize(
    ("size", "whole"), [((100, 1000), (100, 133)), ((1000, 100), (133, 100)), ((60, 50), (60, 50))]
)
def test_a_shape_that_allows_no_draw_is_trimmed_in_the_middle(size: tuple[int, int], whole: tuple[int, int]) -> None:
    left, top, width, height = draw_box(*size, (1.0, 1.0), (0.75, 1.33))
    assert (width, height) == whole
    assert abs(2 * left + width - size[0]) <= 1
    assert abs(2 * top + height - size[1]) <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_crops_of_turned_photos_are_those_of_the_upright_photo(tmp_path: Path, orientation: int, suffix: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (9, 12, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned.{suffix}"
    Image.fromarray(pixels).resize((240, 180), Image.Resampling.BICUBIC).save(path, exif=exif)
    upright = open_photo(path)
    with Image.open(path) as image:
        assert upright_size(image) == upright.size
    for left, top, width, height in [(10, 20, 90, 50), (0, 0, *upright.size), (upright.width - 30, 5, 30, 60)]:
        box = (left, top, width, height)
        crop = decode_crop(path, lambda _, box=box: box, 24)  # type: ignore[misc]
        whole = upright.resize((24, 24), Image.Resampling.BILINEAR, (left, top, left + width, top + height))
        assert np.abs(np.asarray(crop, int) - np.asarray(whole, int)).max() <= 1


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_reduced_jpeg_decode_looks_the_same(tmp_path: Path, mode: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (15, 20, 3), np.uint8)
    path = tmp_path / "large.jpg"
    Image.fromarray(pixels).resize((1600, 1200), Image.Resampling.BICUBIC).convert(mode).save(path, quality=92)
    box = (130, 75, 1211, 903)
    crop = decode_crop(path, lambda _: box, 96)
    whole = open_photo(path).resize((96, 96), Image.Resampling.BILINEAR, (130, 75, 1341, 978))
    assert np.abs(np.asarray(crop, int) - np.asarray(whole, int)).mean() < 1.5
    assert crop.mode == "RGB"


@pytest.mark.parametrize("content", [b"", b"no photo", None])
def test_a_file_that_changed_since_the_check_is_named(photos: Path, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "gone.jpg"
    whole = (photos / "train_images" / "0_00.jpg").read_bytes()
    path.write_bytes(whole[:400] if content is None else content)
    data = TrainingPhotos([Photo("gone.jpg", path, 0)], config("disk"), noisy)
    with pytest.raises(PhotoError, match=r"gone\.jpg is no longer a readable photo"):
        data[(0, 0)]


def test_evaluation_photos_are_whole_and_upright(listed: list[Photo]) -> None:
    data = EvaluationPhotos(listed, lambda photo: torch.tensor(photo.size))
    assert len(data) == 60
    assert data[7][0].tolist() == [64, 48]
    assert data[7][1] == listed[7].label


def test_memory_is_used_where_it_suffices() -> None:
    assert memory_bytes() > 2**28
    assert fits_memory(100, 256)
    assert not fits_memory(10**9, 256)


def test_sixteen_bit_greys_keep_their_upper_byte(tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    assert np.array_equal(np.asarray(open_photo(tmp_path / "deep.png"))[..., 0], (values >> 8).astype(np.uint8))
