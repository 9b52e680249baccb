"""From an entry to its row; whatever a client may have sent fits into every database afterwards."""

import unicodedata
from typing import Any

from gateway.database.schema import STAGES, predictions
from gateway.records.entry import PredictionEntry

_SECONDS_PER_HOUR = 3600
_REFUSED = ("Cc", "Cs")  # control characters, halves of surrogate pairs


def prediction_row(entry: PredictionEntry) -> dict[str, Any]:
    """Columns of `predictions` for one entry; the photo counts as kept only once its file is there."""
    return {
        "id": entry.prediction_id,
        "created_at": entry.created_at,
        "created_hour": int(entry.created_at.timestamp()) // _SECONDS_PER_HOUR,
        "photo_kept": False,
        "release_number": entry.release,
        **{f"{stage}_ms": entry.timings_ms.get(stage) for stage in STAGES},
        **{name: _fitted(name, getattr(entry, name)) for name in _SAME_NAME},
    }


_SAME_NAME = (
    *("request_id", "kind", "group_id", "file_name", "photo_sha256", "photo_bytes", "width", "height", "task"),
    *("class_key", "confidence", "decision", "probabilities", "prediction_set", "members", "quality"),
    *("language", "caller_kind", "client", "end_user"),
)


def _fitted(name: str, value: Any) -> Any:
    return storable(value, predictions.c[name].type.length) if isinstance(value, str) else value  # type: ignore[attr-defined]


def storable(text: str, most: int) -> str:
    """`text` without what a database refuses, cut to `most` UTF-16 units, as SQL Server counts."""
    if not text.isprintable():
        text = "".join(letter for letter in text if letter in "\n\t" or unicodedata.category(letter) not in _REFUSED)
    return text.encode("utf-16-le")[: 2 * most].decode("utf-16-le", "ignore")
