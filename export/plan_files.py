"""Plans of several GPU generations side by side in one version folder; the standard library only.

Triton opens the file that a step's `cc_model_filenames` names for the compute capability of its GPU, `model.plan` where it
names none. It looks at no other file, so a configuration may name plans that are not there. A configuration must not change
while a release uses it, so every capability that the pinned TensorRT builds for is named from the start. Steps that were
written before that name none: they hold one plan.
"""

import json
import re
from pathlib import Path
from typing import Any

MANIFEST = "engine_manifest.json"
UNNAMED = "model.plan"
"""For GPUs that a step's configuration does not name, and for plans that were built without a GPU."""
CAPABILITIES = ("7.5", "8.0", "8.6", "8.7", "8.9", "9.0", "10.0", "10.3", "11.0", "12.0", "12.1")
"""Compute capabilities of TensorRT 11's GPUs, Turing to Blackwell."""
NAMED = re.compile(r'cc_model_filenames\s*\{\s*key:\s*"([^"]+)"\s*value:\s*"([^"]+)"\s*\}')


def plan_names() -> dict[str, str]:
    """File name by compute capability, for a new step's configuration."""
    return {capability: f"model_cc{capability.replace('.', '')}.plan" for capability in CAPABILITIES}


def plan_name(step: Path, capability: str | None) -> str:
    """The file that Triton opens in a version folder of `step` on a GPU of `capability`; None: there is no GPU."""
    text = (step / "config.pbtxt").read_text(encoding="utf-8")
    return UNNAMED if capability is None else dict(NAMED.findall(text)).get(capability, UNNAMED)


def read_manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """What each plan of a version folder was built with, by its file name; empty where there is no manifest.

    Raises:
        ValueError: it is damaged.
    """
    file = folder / MANIFEST
    if not file.is_file():
        return {}
    said = json.loads(file.read_text(encoding="utf-8"))
    if isinstance(said, dict) and "plan_sha256" in said:
        return {UNNAMED: said}  # as it was when there was one plan
    if not isinstance(said, dict) or not isinstance(said.get("plans"), dict):
        raise ValueError(f"{file} is no manifest of plans")
    return dict(said["plans"])


def to_text(plans: dict[str, dict[str, Any]]) -> str:
    """The manifest's content, by file name."""
    return json.dumps({"plans": {name: plans[name] for name in sorted(plans)}}, indent=1) + "\n"
