"""How often requests were refused, from the figures that all processes of the gateway keep for Prometheus.

A refused request leaves no prediction, so the database does not know about it.
"""

import os
from pathlib import Path

_FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_METRIC, _LABEL = "gateway_refusals_total", "type"


def count_refusals() -> dict[str, int] | None:
    """Refusals by type since the gateway started, the most frequent first; None where processes do not share figures."""
    folder = os.environ.get(_FOLDER_VARIABLE)
    if folder is None or not Path(folder).is_dir():
        return None
    from prometheus_client.multiprocess import MultiProcessCollector  # only after the variable was set

    files = [str(path) for path in Path(folder).glob("counter_*.db")]
    found: dict[str, int] = {}
    for metric in MultiProcessCollector.merge(files):  # type: ignore[no-untyped-call]
        for sample in metric.samples:
            if sample.name == _METRIC:
                found[sample.labels[_LABEL]] = int(sample.value)
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
