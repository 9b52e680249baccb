"""What figures were taken on, and how progress and spreads are written."""

import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import tritonclient.grpc as grpc

from benchmarks.processes import ENVIRONMENTS, ROOT

PACKAGES = {
    "dev": ("torch", "timm", "pillow", "fastapi", "uvicorn"),
    "gateway": ("fastapi", "uvicorn", "pillow", "tritonclient"),
    "triton": ("nvidia-pytriton", "nvidia-dali-cuda130", "openvino", "numpy"),
    "peers": ("torch", "timm", "pillow", "onnxruntime", "openvino", "fastapi", "uvicorn", "litserve", "bentoml"),
}
"""What the figures depend on, by environment of the project."""
INSTRUCTIONS = ("avx2", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8")


def say(line: str) -> None:
    """Progress goes to standard error."""
    sys.stderr.write(f"bench: {line}\n")
    sys.stderr.flush()


def cores() -> int:
    """Cores that this process, and so all that it starts, may run on."""
    return len(os.sched_getaffinity(0))


def versions() -> dict[str, dict[str, str]]:
    """Of `PACKAGES`, by environment and name, as far as they are installed."""
    found: dict[str, dict[str, str]] = {}
    for name, wanted in PACKAGES.items():
        folders = [str(path) for path in (ENVIRONMENTS / name).glob("lib/python*/site-packages")]
        installed = {
            each.metadata["Name"].lower().replace("_", "-"): each.version
            for each in metadata.distributions(path=folders)
        }
        found[name] = {package: installed[package] for package in wanted if package in installed}
    return found


def triton_version(grpc_port: int) -> str:
    """Of the server that listens there."""
    client = grpc.InferenceServerClient(f"127.0.0.1:{grpc_port}")
    version = str(client.get_server_metadata().version)
    client.close()
    return version


def hardware() -> dict[str, Any]:
    """What the figures were taken on: processor, cores, memory, system, commit."""
    facts = Path("/proc/cpuinfo").read_text()
    model = next((line.split(":")[1].strip() for line in facts.splitlines() if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    command = ["git", "describe", "--always", "--dirty"]
    commit = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return {
        "processor": f"{cores()} cores of {model or platform.processor()}",
        "cores": cores(),
        "instructions": ", ".join(flag for flag in INSTRUCTIONS if flag in facts),
        "memory": f"{memory:.0f} GiB",
        "system": f"Linux {platform.release().split('-')[0]}, Python {platform.python_version()}",
        "torch": metadata.version("torch"),
        "commit": commit.stdout.strip() or "unknown",
    }


def spread(values: Sequence[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):6.2f}  ({min(values):.2f}-{max(values):.2f})"
