"""Entries for the record's tests, as the prediction path makes them."""

import hashlib
import uuid
from typing import Any

from null_repository import CLASS_NAMES

from gateway.records.entry import PredictionEntry

CLASS_KEYS = tuple(CLASS_NAMES)


def entry(**changes: Any) -> PredictionEntry:
    """One answered photo; `changes` by field name."""
    probabilities = dict(zip(CLASS_KEYS, (0.1, 0.2, 0.05, 0.6, 0.05), strict=True))
    values: dict[str, Any] = {
        "prediction_id": uuid.uuid4().hex,
        "request_id": "request-1",
        "kind": "predict",
        "group_id": None,
        "file_name": "leaf.jpg",
        "photo_sha256": hashlib.sha256(changes.get("photo") or b"photo").hexdigest(),
        "photo_bytes": 151_203,
        "width": 800,
        "height": 600,
        "task": "cassava",
        "release": 1,
        "class_key": "cmd",
        "confidence": 0.6,
        "decision": "accepted",
        "probabilities": probabilities,
        "prediction_set": ["cmd"],
        "members": {"efficientnet_b4": probabilities, "vit_base_384": probabilities},
        "quality": [],
        "timings_ms": {"receive": 1.0, "queue": 0.5, "check": 2.0, "infer": 90.0, "respond": 0.25, "total": 93.75},
        "language": "en",
        "caller_kind": "key",
        "client": "c" * 32,
        "end_user": None,
    }
    return PredictionEntry(**values | changes)
