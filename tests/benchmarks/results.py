"""A run's result as `benchmarks.comparison` makes it, with figures of our choosing."""

from typing import Any

from benchmarks.breakdown.stages import HAND_OVER, OUTSIDE, STAGES


def figures(rate: float, clients: int = 8) -> dict[str, Any]:
    """Of one window."""
    latency = 1000 * clients / rate
    return {
        "clients": clients,
        "photos_per_second": rate,
        "photos": 40,
        "p50_ms": latency,
        "p95_ms": 1.2 * latency,
        "p99_ms": 1.3 * latency,
        "failures": 0,
        "cpu_s_per_photo": 2 / rate,
    }


def system(label: str, *rates: float) -> dict[str, Any]:
    """Facts of a system with a round a rate, everything measured."""
    rate = rates[0]
    return {
        "label": label,
        "about": "one <process>",
        "first_answer_s": 4.0,
        "idle_cores": 0.0,
        "memory_mib": {"pss": 900.0, "rss": 1200.0},
        "rounds": [figures(each) for each in rates],
        "curve": [figures(rate, 1), figures(rate, 8), {"clients": 64, "left_out": "a photo would wait 40 s"}],
        "arrivals": [
            {"share": 0.3, "offered": 0.3, **figures(rate)},
            {"share": 0.9, "offered": 0.9, "left_out": "beyond its 0.5 photos/s"},
        ],
        "bad": {
            "photos_per_second": rate,
            "good": 38,
            "good_failed": 0,
            "bad": 2,
            "bad_answered_ok": 0,
            "answers": {"422": 2},
        },
        "overload": {
            "offered": 1.9 * rate,
            "capacity": rate,
            "deadline_s": 5.0,
            "photos": 30,
            "in_time": 0.47,
            "late": 0.03,
            "refused": 0.4,
            "given_up": 0.05,
            "failed": 0.05,
            "within_capacity": 0.94,
            "refused_after_ms": 1.0,
        },
    }


def result(ours: tuple[float, ...] = (4.0, 4.2), peer: tuple[float, ...] = (1.0, 1.0)) -> dict[str, Any]:
    """Ours and one peer, with bare engines and a breakdown."""
    stages = {**dict.fromkeys(STAGES, 10.0), HAND_OVER: 1.0, OUTSIDE: 1.0}
    one = {"photos": 9, "stages_ms": stages, "total_ms": 72.0, "covered": 70 / 72}
    return {
        "hardware": {"processor": "2 cores of a processor", "cores": 2, "instructions": "avx2", "commit": "abc"},
        "versions": {"peers": {"litserve": "0.2.19"}},
        "options": {
            "rounds": len(ours),
            "seconds": 8,
            "clients": 8,
            "levels": [1, 8, 64],
            "price": 0.04,
            "bound": 0.1,
            "deadline_s": 5.0,
        },
        "photos": "16 photos",
        "members": {"a": "bfloat16"},
        "systems": {
            "ours": system("ours", *ours),
            "fastapi-eager-float32": system("FastAPI", *peer)
            | {"agreement": {"same_class": 1.0, "largest_difference": 0.01}},
        },
        "bare": [{"serial": 4.0, "streams": 5.0} for _ in ours],
        "breakdown": {"1": one, "8": one},
    }
