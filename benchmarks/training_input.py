"""`python -m benchmarks.training_input`: photos per second and core that training's input reads, against the plain loop.

The plain loop is what everybody writes first: PIL decodes, torchvision's RandomResizedCrop cuts and scales. Both read the same
files, draw crops of the same area and shape, use one thread, and alternate photo by photo, so that both see the machine in
the same state. Ends with status 1 where a ratio is below its bar.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2

from benchmarks.machine import hardware, say, spread
from training.config.groups import AugmentationConfig, DatasetConfig, ModelConfig, TrainingConfig
from training.data.loading import EpochSampler, TrainingPhotos
from training.data.photos import Photo

SIZES = {"12 megapixels": (4000, 3000), "800x600": (800, 600)}
BARS = {"12 megapixels": 1.5, "800x600": 1.0}
LARGE = 8_000_000  # pixels


def drawn_photos(folder: Path) -> dict[str, list[Path]]:
    """JPEGs of both sizes, as detailed as a field photo: about 0.25 bytes per pixel, as phones write them."""
    random = np.random.default_rng(0)
    with Image.open("demo/leaf.jpg") as leaf:
        base = leaf.convert("RGB")
    paths: dict[str, list[Path]] = {}
    for name, size in SIZES.items():
        paths[name] = []
        for number in range(6 if size[0] > 1000 else 24):
            pixels = np.asarray(base.resize(size), np.float32) + random.normal(0, 7, (size[1], size[0], 1))
            path = folder / f"{size[0]}_{number}.jpg"
            Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path, quality=88)
            paths[name].append(path)
    return paths


def given_photos(folders: Sequence[Path], count: int) -> dict[str, list[Path]]:
    """Up to `count` JPEGs of either size class below the folders: 8 megapixels and more, and 800x600."""
    found: dict[str, list[Path]] = {name: [] for name in SIZES}
    for path in sorted(path for folder in folders for path in folder.rglob("*")):
        if path.suffix.lower() in (".jpg", ".jpeg"):
            with Image.open(path) as image:
                width, height = image.size
            if width * height >= LARGE:
                found["12 megapixels"].append(path)
            elif sorted((width, height)) == [600, 800]:
                found["800x600"].append(path)
    return {name: paths[:count] for name, paths in found.items() if paths}


def plain_loop(config: TrainingConfig) -> Callable[[Path], torch.Tensor]:
    """What the input is measured against."""
    augmentation = config.augmentation
    crop = v2.RandomResizedCrop(config.model.input_size, augmentation.crop_scale, augmentation.crop_ratio)
    transform = v2.Compose([crop, v2.PILToTensor()])

    def read(path: Path) -> torch.Tensor:
        with Image.open(path) as image:
            tensor: torch.Tensor = transform(image.convert("RGB"))
        return tensor

    return read


def measure(paths: Sequence[Path], config: TrainingConfig, passes: int, rounds: int) -> list[dict[str, float]]:
    """Photos per second of both, per round of `passes` over the files, which are read once before."""
    ours = TrainingPhotos([Photo(path.name, path, 0) for path in paths], config, lambda crop: crop)
    plain = plain_loop(config)
    sampler = EpochSampler(len(paths), 0)
    results = []
    for number in range(-1, rounds):
        spent = {"ours": 0.0, "plain": 0.0}
        for turn in range(passes if number >= 0 else 1):
            sampler.set_epoch((number + 1) * passes + turn)
            for place, key in enumerate(sampler):
                for name in ("ours", "plain") if place % 2 else ("plain", "ours"):
                    started = time.process_time()
                    crop = ours[key][0] if name == "ours" else plain(paths[key[0]])
                    spent[name] += time.process_time() - started
                    assert crop.shape == (3, config.model.input_size, config.model.input_size)
        if number >= 0:
            results.append({name: passes * len(paths) / seconds for name, seconds in spent.items()})
    return results


def main() -> int:
    """Measure, print the table, keep every figure as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_input", description=__doc__)
    parser.add_argument(
        "--photos", type=Path, action="append", help="folder of JPEGs, repeatable (default: drawn ones)"
    )
    parser.add_argument("--side", type=int, nargs="+", default=[224, 380], help="crops, pixels, default %(default)s")
    parser.add_argument("--count", type=int, default=24, help="photos of each size, default %(default)s")
    parser.add_argument("--passes", type=int, default=4, help="over the photos in a round, default %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="default %(default)s")
    parser.add_argument("--out", type=Path, default=Path("build/bench-input.json"), help="default %(default)s")
    given = parser.parse_args()
    torch.set_num_threads(1)
    results: dict[str, list[dict[str, float]]] = {}
    held = True
    with tempfile.TemporaryDirectory() as scratch:
        photos = given_photos(given.photos, given.count) if given.photos else drawn_photos(Path(scratch))
        if not photos:
            raise SystemExit("bench: no JPEG of 8 megapixels or more, nor of 800x600, in --photos.")
        lines = [f"{key}: {value}" for key, value in hardware().items()]
        lines += [
            f"crops of {AugmentationConfig().crop_scale} of the area; photos per second of processor time, one thread",
            "",
            f"{'':<42} median  (range)",
        ]
        for side in given.side:
            config = TrainingConfig(dataset=DatasetConfig(cache="disk"), model=ModelConfig(input_size=side))
            for size, paths in photos.items():
                name = f"{size} to {side} px"
                say(f"{name}: {len(paths)} photos")
                rounds = measure(paths, config, given.passes, given.rounds)
                ratios = [each["ours"] / each["plain"] for each in rounds]
                results[name] = rounds
                lines += [f"{name + ', ' + way:<42} {spread([each[way] for each in rounds])}" for way in rounds[0]]
                verdict = "held" if statistics.median(ratios) >= BARS[size] else "MISSED"
                held &= verdict == "held"
                lines.append(f"{name + ', ratio':<42} {spread(ratios)}  bar {BARS[size]}: {verdict}")
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps({"hardware": hardware(), "rounds": results}, indent=1) + "\n")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
