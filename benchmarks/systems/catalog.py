"""All systems by name, ours first."""

from benchmarks.systems import ours, peers
from benchmarks.systems.system import System

OURS = "ours"
TRITON = "triton"
REFERENCE = "fastapi-eager-float32"
"""Whose answers are the measure for all others': the members as PyTorch computes them, in float32."""
BARE = "bare engines"

SYSTEMS = {
    system.name: system
    for system in (
        System(OURS, "ours", "gateway and Triton, as `make serve` starts them", ours.ours),
        System(
            TRITON, "Triton, called directly", "the same Triton over gRPC, no gateway: nothing is checked", ours.triton
        ),
        System(
            REFERENCE,
            "FastAPI + PyTorch eager float32",
            "one process, one photo at a time on all cores, decoding in the thread pool",
            peers.fastapi("eager-float32"),
        ),
        System(
            "fastapi-eager-bfloat16",
            "FastAPI + PyTorch eager bfloat16",
            "the same under autocast",
            peers.fastapi("eager-bfloat16"),
        ),
        System(
            "fastapi-onnxruntime",
            "FastAPI + ONNX Runtime",
            "the same on the release's ONNX files, float32",
            peers.fastapi("onnxruntime"),
        ),
        System(
            "fastapi-engine",
            "FastAPI + our engine",
            "the same on our CPU engine, in the release's precision",
            peers.fastapi("engine"),
        ),
        System(
            "litserve-eager-bfloat16",
            "LitServe + PyTorch bfloat16",
            "batches of up to 8, a worker a core",
            peers.litserve("eager-bfloat16"),
        ),
        System(
            "litserve-engine",
            "LitServe + our engine",
            "batches of up to 8, two workers, as Triton has two instances",
            peers.litserve("engine"),
        ),
        System(
            "bentoml-eager-bfloat16",
            "BentoML + PyTorch bfloat16",
            "adaptive batching up to 8, a worker a core",
            peers.bentoml("eager-bfloat16"),
        ),
        System(
            "bentoml-engine",
            "BentoML + our engine",
            "adaptive batching up to 8, two workers",
            peers.bentoml("engine"),
        ),
    )
}
