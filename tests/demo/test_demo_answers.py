"""Real photos through HTTP, the gateway, Triton and DALI, against the trained members in PyTorch."""

import base64
import json
import time
from pathlib import Path

import httpx2
import numpy as np
import pytest
import timm
import torch
from google.protobuf import text_format
from numpy.typing import NDArray
from pictures import DATA, encoded, needs, textured
from PIL import Image, ImageOps
from processes import ROOT
from timm.data import create_transform, resolve_model_data_config
from tritonclient.grpc import model_config_pb2 as pb

MEMBERS = sorted((ROOT / "demo" / "members").iterdir())
TOLERANCE = 0.01
REPOSITORY = ROOT / "demo" / "model_repository"
REPORT = json.loads((REPOSITORY / "leaf_ensemble_1" / "report.json").read_text())
TEMPERATURES = {name: said["temperature"] for name, said in REPORT["members"].items()}


def send(http: httpx2.Client, photo: bytes) -> dict[str, object]:
    """One photo; the reply."""
    answer = http.post("/v1/predict", content=photo)
    assert answer.status_code == 200, answer.text
    return answer.json()


def outside_triton(photos: list[Path]) -> NDArray[np.float32]:
    """Averaged probabilities by timm and PyTorch alone, [photos, classes]."""
    answers = []
    for folder in MEMBERS:
        network = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
        transform = create_transform(**resolve_model_data_config(network))
        with torch.inference_mode():
            views = (transform(ImageOps.exif_transpose(Image.open(photo)).convert("RGB")) for photo in photos)
            temperature = TEMPERATURES[folder.name]
            answers.append(np.stack([(network(view[None]) / temperature).softmax(1)[0].numpy() for view in views]))
    return np.mean(answers, axis=0)


@needs("cassava")
@pytest.mark.parametrize("each", [6, pytest.param(1, marks=pytest.mark.long)], ids=["a sixth", "all"])
def test_every_unseen_photo_gets_the_trained_members_answer(http: httpx2.Client, each: int) -> None:
    with np.load(MEMBERS[0] / "test.npz") as stored:
        photos = [DATA / "cassava" / "train_images" / str(name) for name in stored["image_ids"][::each]]
    expected = outside_triton(photos)
    replies = [send(http, photo.read_bytes()) for photo in photos]
    served = np.array([list(reply["probabilities"].values()) for reply in replies])
    assert np.abs(served - expected).max() <= TOLERANCE
    classes = np.array([reply["predicted_class_id"] for reply in replies])
    top = np.sort(expected, axis=1)
    clear = top[:, -1] - top[:, -2] >= TOLERANCE
    assert (classes == expected.argmax(axis=1))[clear].all()
    assert set(classes) == set(range(expected.shape[1]))


def test_the_release_answers_its_probes_as_it_promises(http: httpx2.Client) -> None:
    text = (REPOSITORY / "leaf_ensemble_1" / "config.pbtxt").read_text(encoding="utf-8")
    promised = json.loads(text_format.Parse(text, pb.ModelConfig()).parameters["probes"].string_value)
    (photo,) = promised["photos"]
    served = list(send(http, base64.b64decode(photo["jpeg"]))["probabilities"].values())
    assert np.abs(np.subtract(served, photo["probabilities"])).max() < promised["tolerance"] / 2


@needs("phone_photos")
def test_every_phone_photo_gets_an_answer(http: httpx2.Client) -> None:
    photos = [p for p in (DATA / "phone_photos").rglob("*") if p.suffix.lower() == ".jpg"]
    assert len(photos) == 10
    assert all(send(http, photo.read_bytes())["decision"] in ("accepted", "uncertain", "rejected") for photo in photos)


@needs("odd_images")
@pytest.mark.parametrize("file", sorted((DATA / "odd_images").glob("*")), ids=lambda path: path.name)
def test_every_odd_image_gets_a_documented_answer_in_time(stack: object, http: httpx2.Client, file: Path) -> None:
    before = stack.pids()
    start = time.monotonic()
    answer = http.post("/v1/predict", content=file.read_bytes())
    assert time.monotonic() - start < 5
    responses = http.get("/openapi.json").json()["paths"]["/v1/predict"]["post"]["responses"]
    documented = {int(status) for status in responses if status.isdecimal()}
    assert answer.status_code in documented
    assert answer.status_code < 500
    assert answer.status_code == 200 or answer.headers["content-type"] == "application/problem+json"
    assert stack.pids() == before


def test_generated_pictures_are_answered_the_same_as_by_the_members(http: httpx2.Client, tmp_path: Path) -> None:
    files = []
    for seed, size in enumerate([(800, 600), (301, 517), (64, 500)]):
        files.append(tmp_path / f"{seed}.png")
        files[-1].write_bytes(encoded(textured(*size, seed=seed)))
    expected = outside_triton(files)
    served = [list(send(http, file.read_bytes())["probabilities"].values()) for file in files]
    assert np.abs(np.array(served) - expected).max() <= TOLERANCE


def test_the_release_in_git_is_what_export_writes_from_the_members(tmp_path: Path) -> None:
    from export.configuration import from_text
    from export.members import read_member
    from export.steps import plan_steps, write_preprocessing, write_steps

    members = [read_member(folder) for folder in MEMBERS]
    write_steps(tmp_path, plan_steps(tmp_path, members))
    write_preprocessing(tmp_path / "preprocess" / "1", members)
    for path in (p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file()):
        if path.name != "config.pbtxt":
            assert (tmp_path / path).read_bytes() == (REPOSITORY / path).read_bytes()
            continue
        written, in_git = (from_text((folder / path).read_text(encoding="utf-8")) for folder in (tmp_path, REPOSITORY))
        assert written == in_git
    assert json.loads((REPOSITORY / MEMBERS[0].name / "1" / "cpu_engine.json").read_text()) == {"precision": "float32"}


def test_the_next_release_of_the_same_members_keeps_the_configurations(tmp_path: Path) -> None:
    from export.members import read_member
    from export.steps import plan_steps, write_steps

    for file in REPOSITORY.glob("*/config.pbtxt"):
        (tmp_path / file.parent.name).mkdir()
        (tmp_path / file.parent.name / file.name).write_bytes(file.read_bytes())
    before = {file: file.read_bytes() for file in tmp_path.glob("*/config.pbtxt")}
    plan = plan_steps(tmp_path, [read_member(folder) for folder in MEMBERS])
    write_steps(tmp_path, plan)
    assert (plan.names.preprocess, plan.names.average) == ("preprocess", "average")
    assert {file: file.read_bytes() for file in tmp_path.glob("*/config.pbtxt")} == before
