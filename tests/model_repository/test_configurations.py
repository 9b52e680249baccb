"""The production configurations in git: generated as they stand, loaded by a real Triton, and no mistake in them passes."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tritonclient.grpc as grpc
from google.protobuf import text_format
from pictures import encoded, textured
from processes import TritonProcess, free_ports, launch, wait_until
from tiny_networks import CLASSES, ROOT, production_repository
from triton_client import infer
from tritonclient.grpc import model_config_pb2 as pb
from tritonclient.utils import InferenceServerException

from export.__main__ import main

IN_GIT = ROOT / "model_repository"
PHOTO = encoded(textured(400, 300), "JPEG")
ENSEMBLE = "leaf_ensemble_1"
Mistake = Callable[[pb.ModelConfig], object]


def test_git_holds_what_export_writes(tmp_path: Path) -> None:
    assert main(["configurations", "--repository", str(tmp_path), "--classes", str(CLASSES)]) == 0
    written = {p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert written == {path: (IN_GIT / path).read_bytes() for path in written}
    steps = {path.parent.name for path in written if path.name == "config.pbtxt"}
    assert steps == {"preprocess", "efficientnet_b4", "vit_base_384", "average", "leaf_ensemble"}


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonProcess]:
    """Triton on a private copy whose configurations tests may spoil."""
    repository, ensemble = production_repository(tmp_path_factory.mktemp("mistakes"))
    process = TritonProcess(repository, free_ports(3), load=(ensemble,))
    process.start()
    yield process
    process.stop()


@pytest.fixture
def client(triton: TritonProcess) -> Iterator[grpc.InferenceServerClient]:
    """A gRPC client; afterwards the repository is as in git and loads again."""
    with grpc.InferenceServerClient(triton.grpc_url) as connection:
        yield connection
        for config in triton.repository.glob("*/config.pbtxt"):
            if (IN_GIT / config.parent.name / "config.pbtxt").is_file():
                shutil.copy(IN_GIT / config.parent.name / "config.pbtxt", config)
        if not works(connection):
            triton.restart()  # this version sometimes crashes on a warm-up that fails
            wait_until(lambda: works(connection), 30, "the ensemble works again")  # gRPC connects anew after a pause


def spoil(repository: Path, step: str, mistake: Mistake) -> None:
    """Make a mistake in a step's configuration."""
    file = repository / step / "config.pbtxt"
    config = text_format.Parse(file.read_text(encoding="utf-8"), pb.ModelConfig())
    mistake(config)
    file.write_text(text_format.MessageToString(config), encoding="utf-8")


def works(client: grpc.InferenceServerClient) -> bool:
    """Load the ensemble anew and ask it."""
    try:
        client.unload_model(ENSEMBLE, unload_dependents=True)
        client.load_model(ENSEMBLE)
        infer(client, ENSEMBLE, PHOTO, ["probabilities", "answer_efficientnet_b4", "answer_vit_base_384"])
    except InferenceServerException:
        return False
    return True


def first_output(field: str, value: object) -> Mistake:
    """Set a field of the step's first output."""
    return lambda config: setattr(config.output[0], field, value)


def first_input(field: str, value: object) -> Mistake:
    """Set a field of the step's first input."""
    return lambda config: setattr(config.input[0], field, value)


def input_dims(*dims: int) -> Mistake:
    """Set the dimensions of the step's first input."""
    return lambda config: config.input[0].dims.__setitem__(slice(None), dims)


def output_dims(*dims: int) -> Mistake:
    """Set the dimensions of the step's first output."""
    return lambda config: config.output[0].dims.__setitem__(slice(None), dims)


MISTAKES: list[tuple[str, str, Mistake]] = [
    ("preprocess", "output dims", output_dims(3, 381, 380)),
    ("preprocess", "output name", first_output("name", "pixels")),
    ("preprocess", "output type", first_output("data_type", pb.TYPE_FP16)),
    ("preprocess", "input name", first_input("name", "image")),
    ("preprocess", "input type", first_input("data_type", pb.TYPE_STRING)),
    ("preprocess", "input dims", input_dims(1000)),
    ("preprocess", "warm-up length", lambda c: c.model_warmup[0].inputs["encoded_image"].dims.__setitem__(0, 100_000)),
    (
        "preprocess",
        "warm-up file",
        lambda c: setattr(c.model_warmup[0].inputs["encoded_image"], "input_data_file", "no.jpg"),
    ),
    ("preprocess", "backend", lambda c: setattr(c, "backend", "dalli")),
    *[(step, "input dims", input_dims(3, 382, 382)) for step in ("efficientnet_b4", "vit_base_384")],
    *[(step, "input name", first_input("name", "pixels")) for step in ("efficientnet_b4", "vit_base_384")],
    *[(step, "input type", first_input("data_type", pb.TYPE_FP64)) for step in ("efficientnet_b4", "vit_base_384")],
    *[(step, "output dims", output_dims(6)) for step in ("efficientnet_b4", "vit_base_384", "average")],
    *[(step, "output name", first_output("name", "logits")) for step in ("efficientnet_b4", "vit_base_384", "average")],
    *[(step, "output type", first_output("data_type", pb.TYPE_INT32)) for step in ("efficientnet_b4", "average")],
    ("vit_base_384", "batch size", lambda c: setattr(c, "max_batch_size", 4)),
    ("average", "input dims", input_dims(4)),
    ("average", "input name", first_input("name", "first")),
]


def chosen() -> Iterator[Any]:
    """Each kind of mistake once (a shape, a name, a type, ...); the same in further places are long proofs."""
    kinds: set[str] = set()
    for step, what, mistake in MISTAKES:
        kind = next((kind for kind in ("dims", "name", "type", "warm-up") if kind in what), what)
        yield pytest.param(step, mistake, id=f"{step}-{what}", marks=[pytest.mark.long] if kind in kinds else [])
        kinds.add(kind)


@pytest.mark.parametrize(("step", "mistake"), list(chosen()))
def test_no_mistake_passes(
    triton: TritonProcess, client: grpc.InferenceServerClient, step: str, mistake: Mistake
) -> None:
    spoil(triton.repository, step, mistake)
    assert not works(client)


def test_a_broken_warm_up_picture_does_not_pass(tmp_path: Path) -> None:
    # a Triton of its own: this version may crash on a warm-up that fails
    repository, _ensemble = production_repository(tmp_path)
    picture = repository / "preprocess/warmup/leaf.jpg"
    picture.write_bytes(bytes(picture.stat().st_size))
    result = launch(repository)
    assert result.returncode == 1
    assert "while loading leaf_ensemble_1" in result.stderr


def test_any_choice_of_outputs_is_answered(client: grpc.InferenceServerClient) -> None:
    for outputs in (["probabilities"], ["answer_vit_base_384"], ["answer_efficientnet_b4", "probabilities"]):
        assert set(infer(client, ENSEMBLE, PHOTO, outputs)) == set(outputs)
