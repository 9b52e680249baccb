"""Triton's own counters between two looks at /metrics."""

import re
from collections import defaultdict

LINE = re.compile(r"^(nv_inference_\w+)\{([^}]*)\} (\S+)$", re.MULTILINE)
MODEL = re.compile(r'model="([^"]+)"')
ENSEMBLE = "leaf_ensemble"


def counters(text: str) -> dict[tuple[str, str], float]:
    """By counter and model, versions added up."""
    found: dict[tuple[str, str], float] = defaultdict(float)
    for name, labels, value in LINE.findall(text):
        if model := MODEL.search(labels):
            found[name, model[1]] += float(value)
    return found


def busy_share(before: str, after: str, seconds: float) -> dict[str, float]:
    """Share of the time that each step computed, by its name.

    Triton adds a batch's time up once for each request in it; divided by the size of its batches it is the engine's own.
    """
    old, new = counters(before), counters(after)
    grown = {key: value - old.get(key, 0.0) for key, value in new.items()}
    shares = {}
    for (name, model), requests in grown.items():
        executions = grown.get(("nv_inference_exec_count", model), 0.0)
        if name == "nv_inference_request_success" and requests and executions and not model.startswith(ENSEMBLE):
            spent = grown.get(("nv_inference_compute_infer_duration_us", model), 0.0)
            shares[model] = spent / 1e6 * executions / requests / seconds
    return shares
