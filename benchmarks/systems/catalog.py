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
        System(
            OURS,
            "ours",
            "gateway and Triton as `make serve` starts them, but: only errors are logged, nothing is probed meanwhile, "
            "uploads may hold 1 GiB and wait as long as the others' (defaults again under overload, but for the log)",
            ours.ours,
        ),
        System(
            TRITON,
            "Triton, called directly",
            "the same Triton over gRPC, no gateway: nothing is checked, large photos are decoded at full size",
            ours.triton,
        ),
        System(
            REFERENCE,
            "FastAPI + PyTorch eager float32",
            "one process, one photo at a time on all cores, decoding in the thread pool at full size, as most have it",
            peers.fastapi("eager-float32"),
        ),
        System(
            "fastapi-eager-bfloat16",
            "FastAPI + PyTorch eager bfloat16",
            "the same, weights in bfloat16, channels last; large photos decoded smaller, as ours does",
            peers.fastapi("eager-bfloat16"),
        ),
        System(
            "fastapi-onnxruntime",
            "FastAPI + ONNX Runtime",
            "the same on the release's ONNX files, float32; large photos decoded smaller",
            peers.fastapi("onnxruntime"),
        ),
        System(
            "fastapi-engine",
            "FastAPI + our engine",
            "the same on our CPU engine, in the release's precision; large photos decoded smaller; unbatched by choice, as "
            "FastAPI has no batching of its own",
            peers.fastapi("engine"),
        ),
        System(
            "litserve-eager-bfloat16",
            "LitServe + PyTorch bfloat16",
            f"batches of up to 8; {peers.told('eager-bfloat16')}; large photos decoded smaller",
            peers.litserve("eager-bfloat16"),
        ),
        System(
            "litserve-engine",
            "LitServe + our engine",
            f"batches of up to 8; {peers.told('engine')}, shared as between Triton's two instances; large photos decoded smaller",
            peers.litserve("engine"),
        ),
        System(
            "bentoml-eager-bfloat16",
            "BentoML + PyTorch bfloat16",
            f"adaptive batching up to 8; {peers.told('eager-bfloat16')}; large photos decoded smaller",
            peers.bentoml("eager-bfloat16"),
        ),
        System(
            "bentoml-engine",
            "BentoML + our engine",
            f"adaptive batching up to 8; {peers.told('engine')}, shared likewise; large photos decoded smaller",
            peers.bentoml("engine"),
        ),
    )
}
