"""Overload: the queue before the first step refuses, nothing behind it does, and the ensemble goes on."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tritonclient.grpc as grpc
from google.protobuf import text_format
from pictures import encoded, textured
from processes import TritonProcess, free_ports
from tiny_networks import ROOT, production_repository
from triton_client import image_input
from tritonclient.grpc import model_config_pb2 as pb
from tritonclient.utils import InferenceServerException

IN_GIT = ROOT / "model_repository"
PHOTO = encoded(textured(2400, 1600), "JPEG", quality=80)
"""Large enough that decoding falls behind."""
CLIENTS = 160


def configuration(step: str) -> pb.ModelConfig:
    """A step's configuration in git."""
    return text_format.Parse((IN_GIT / step / "config.pbtxt").read_text(encoding="utf-8"), pb.ModelConfig())


@pytest.mark.parametrize("step", ["efficientnet_b4", "vit_base_384", "average"])
def test_no_queue_behind_the_first_step_is_bounded_by_size(step: str) -> None:
    assert configuration(step).dynamic_batching.default_queue_policy.max_queue_size == 0


@pytest.mark.parametrize("step", ["preprocess", "efficientnet_b4", "vit_base_384", "average"])
def test_every_step_rejects_what_waited_too_long(step: str) -> None:
    policy = configuration(step).dynamic_batching.default_queue_policy
    assert policy.timeout_action == pb.ModelQueuePolicy.REJECT
    assert 0 < policy.default_timeout_microseconds <= 30_000_000
    assert policy.allow_timeout_override


def test_a_burst_is_refused_cleanly_and_the_ensemble_goes_on(tmp_path: Path) -> None:
    repository, ensemble = production_repository(tmp_path)
    triton = TritonProcess(repository, free_ports(3), load=(ensemble,))
    triton.start()
    try:
        with grpc.InferenceServerClient(triton.grpc_url) as client:

            def ask() -> str:
                try:
                    client.infer(ensemble, [image_input(PHOTO)], client_timeout=30)
                except InferenceServerException as error:
                    return str(error.status())
                return "ok"

            with ThreadPoolExecutor(CLIENTS) as pool:
                answers = Counter(pool.map(lambda _: ask(), range(CLIENTS)))
            assert set(answers) == {"ok", "StatusCode.UNAVAILABLE"}
            assert answers["ok"] >= 64
            start = time.monotonic()
            assert ask() == "ok"
            assert time.monotonic() - start < 5
    finally:
        triton.stop()
