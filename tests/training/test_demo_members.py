"""The committed demo members keep the contract and the figures of their card."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from training.evaluation.metrics import compute_metrics

DEMO = Path(__file__).parents[2] / "demo"
MEMBERS = sorted(path.parent for path in (DEMO / "members").glob("*/config.json"))
REAL = Path(__file__).parents[2].parent / "shared" / "data" / "cassava" / "train_images"


def test_two_members_of_one_split_and_different_sizes() -> None:
    hashes, sizes, parameters = set(), set(), 0
    for member in MEMBERS:
        hashes |= {str(np.load(member / f"{part}.npz")["split_hash"]) for part in ("validation", "test")}
        model = timm.create_model(f"local-dir:{member}", pretrained=True)
        sizes.add(model.pretrained_cfg["input_size"])
        parameters += sum(weight.numel() for weight in model.parameters())
    assert (len(MEMBERS), len(hashes), len(sizes)) == (2, 1, 2)
    assert parameters <= 2_600_000


def test_members_agree_on_classes_and_on_the_task_file() -> None:
    task = json.loads((DEMO.parent / "training" / "tasks" / "cassava.json").read_text(encoding="utf-8"))
    for member in MEMBERS:
        assert json.loads((member / "classes.json").read_text(encoding="utf-8")) == task


def test_average_on_unseen_photos_is_what_the_card_says() -> None:
    stored = [np.load(member / "test.npz") for member in MEMBERS]
    probabilities = torch.stack([torch.from_numpy(arrays["logits"]).softmax(dim=1) for arrays in stored]).mean(dim=0)
    metrics = compute_metrics(probabilities.log().numpy(), stored[0]["labels"], list("abcde"))
    assert metrics["f1_macro"] >= 0.45
    assert f"| {metrics['f1_macro']:.2f} (" in (DEMO / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert all(row["predicted"] for row in metrics["recall_per_class"].values())


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data/cassava is not on this machine")
@pytest.mark.parametrize("member", MEMBERS, ids=lambda path: path.name)
def test_timm_reproduces_stored_logits_on_real_photos(member: Path) -> None:
    model = timm.create_model(f"local-dir:{member}", pretrained=True).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
    stored = np.load(member / "test.npz")
    batch = torch.stack([transform(Image.open(REAL / name).convert("RGB")) for name in stored["image_ids"][:12]])
    with torch.inference_mode():
        np.testing.assert_allclose(model(batch).numpy(), stored["logits"][:12], atol=1e-4)
