"""An example of the dashboard's figures, as the API's description shows them: a day of one class, in two buckets."""

from typing import Any


def _share(hits: int, of: int, low: float, high: float) -> dict[str, Any]:
    return {"hits": hits, "of": of, "value": round(hits / of, 4), "low": low, "high": high}


_PERCENTILES = {"p50_ms": 92.1, "p95_ms": 140.7}
_DECISIONS = {
    "accepted": _share(40, 50, 0.6696, 0.8876),
    "uncertain": _share(8, 50, 0.0834, 0.2851),
    "rejected": _share(2, 50, 0.011, 0.1346),
}
_RIGHT = _share(9, 10, 0.5958, 0.9821)
SUMMARY: dict[str, Any] = {
    "generated_at": "2026-11-21T12:00:00Z",
    "bucket_hours": 12,
    "starts": ["2026-11-20T12:00:00Z", "2026-11-21T00:00:00Z"],
    "answers": 50,
    "volume": [20, 30],
    "decisions": {"accepted": [16, 24], "uncertain": [3, 5], "rejected": [1, 1]},
    "rejected": [_share(1, 20, 0.0089, 0.2361), _share(1, 30, 0.0059, 0.1667)],
    "decision_shares": _DECISIONS,
    "classes": [
        {
            "key": "cmd",
            "name": "Cassava Mosaic Disease",
            "counts": [20, 30],
            "share": _share(50, 50, 0.9287, 1.0),
        }
    ],
    "confidence": {
        "edges": [0.0, 0.5, 1.0],
        "counts": {"accepted": [0, 40], "uncertain": [5, 3], "rejected": [2, 0]},
    },
    "latency": {
        "sampled": 50,
        "of": 50,
        "overall": _PERCENTILES,
        "buckets": [_PERCENTILES, _PERCENTILES],
        "stages": {"check": {"p50_ms": 2.1, "p95_ms": 4.0}, "infer": {"p50_ms": 88.0, "p95_ms": 131.2}},
    },
    "releases": [
        {
            "number": 3,
            "answers": 50,
            "decisions": _DECISIONS,
            "latency": _PERCENTILES,
            "feedback": {"correct": 9, "wrong": 1, "unsure": 2},
            "right": _RIGHT,
        }
    ],
    "feedback": {
        "counts": {"correct": [4, 5], "wrong": [0, 1], "unsure": [1, 1]},
        "statuses": {"pending": 3, "confirmed": 8, "dismissed": 1},
        "right": _RIGHT,
    },
    "pending_reviews": 3,
    "refusals": {"undecodable-image": 2, "rate-limited": 7},
}
_SIDE = {
    "release": 3,
    "answers": 50,
    "decisions": _DECISIONS,
    "classes": {"cmd": _share(30, 50, 0.4618, 0.7239), "healthy": _share(20, 50, 0.2761, 0.5382)},
    "latency": _PERCENTILES,
    "feedback": {"correct": 9, "wrong": 1, "unsure": 0},
    "right": _RIGHT,
}
_SHARE_DIFFERENCE = {"value": 0.0, "low": -0.16, "high": 0.16}
_TIME_DIFFERENCE = {"value": -4.7, "low": -19.6, "high": 2.9}
COMPARISON: dict[str, Any] = {
    "generated_at": "2026-11-21T12:00:00Z",
    "hours": 24,
    "task": "cassava",
    "stable": _SIDE,
    "other": {**_SIDE, "release": 4},
    "role": "candidate",
    "differences": {
        **dict.fromkeys(("accepted", "uncertain", "rejected", "right"), _SHARE_DIFFERENCE),
        **dict.fromkeys(("p50_ms", "p95_ms"), _TIME_DIFFERENCE),
    },
    "class_differences": {"cmd": _SHARE_DIFFERENCE, "healthy": _SHARE_DIFFERENCE},
    "shadow": {
        "release": 5,
        "answered": 50,
        "failed": 0,
        "dropped": 12,
        "disagreed": _share(2, 50, 0.011, 0.1346),
        "classes": [
            {"class_key": "cmd", "disagreed": _share(2, 30, 0.0185, 0.2132), "instead": {"healthy": 2}},
            {"class_key": "healthy", "disagreed": _share(0, 20, 0.0, 0.1611), "instead": {}},
        ],
        "decisions": _DECISIONS,
        "shadow_decisions": _DECISIONS,
        "infer_ms": 88.0,
        "shadow_infer_ms": 85.2,
    },
}
