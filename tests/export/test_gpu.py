"""On a GPU, with real photos: ONNX Runtime's CUDA provider against torch, TensorRT's plans against their ONNX files.

Needs `onnxruntime-gpu`, or TensorRT (or TensorRT-RTX under its names), in the environment of the tests. `pytest -m gpu -s`
shows the times.
"""

import json
import shutil
import sys
from pathlib import Path

import onnx
import pytest
from pictures import DATA, needs
from processes import ROOT

from export import engines, gpus, onnx_model, sessions
from export.__main__ import main
from export.calibration import calibrate
from export.errors import EngineError, ProviderError
from export.gates import DEFAULTS
from export.members import read_member
from export.photos import sample_photos
from export.plan_files import MANIFEST

PHOTOS = DATA / "cassava" / "train_images"
DEMO = ROOT / "demo"
MEMBERS = sorted(path.name for path in (DEMO / "members").iterdir())

pytestmark = [pytest.mark.gpu, needs("cassava")]


@pytest.mark.parametrize("name", MEMBERS)
def test_the_cuda_provider_answers_what_torch_does(name: str, tmp_path: Path) -> None:
    if not sessions.has_cuda():
        pytest.skip("this environment's ONNX Runtime has no CUDA provider (onnxruntime-gpu)")
    member = read_member(DEMO / "members" / name)
    classifier = onnx_model.load(member, calibrate([member], "equal").temperatures[0])
    pixels = onnx_model.view(classifier, sample_photos(PHOTOS, 50))
    onnx.save(onnx_model.to_onnx(member, classifier, pixels), tmp_path / "model.onnx")
    try:
        session = sessions.on_cuda(tmp_path / "model.onnx")
    except ProviderError as error:
        pytest.skip(str(error))
    expected = onnx_model.answers(classifier, pixels)
    difference = onnx_model.check_parity(member, session, pixels, expected, DEFAULTS["parity_cuda"])
    sys.stdout.write(f"\n{name}: CUDA provider within {difference:.1e} of torch on 50 photos\n")


def test_plans_answer_what_their_onnx_files_do(tmp_path: Path) -> None:
    if not gpus.visible():
        pytest.skip("this host shows no GPU (nvidia-smi)")
    try:
        engines.load_tensorrt()
    except EngineError as error:
        pytest.skip(str(error))
    repository = shutil.copytree(DEMO / "model_repository", tmp_path / "repository")
    asked = ["--repository", str(repository), "--release", "1"]
    assert main(["plan", *asked]) == 0
    assert main(["compare", *asked, "--photos", str(PHOTOS)]) == 0
    for name in MEMBERS:
        plans = json.loads((repository / name / "1" / MANIFEST).read_text())["plans"]
        for file, entry in plans.items():
            assert entry["compared"]["photos"] == 50
            sys.stdout.write(f"\n{name}/{file}: {json.dumps(entry['compared'])}\n")
