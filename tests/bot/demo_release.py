"""Replies as the gateway makes them, with the names and advice of the demo release."""

import json
from pathlib import Path
from typing import Any, cast

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

import client

_CONFIG = Path(__file__).parents[2] / "demo" / "model_repository" / "leaf_ensemble_1" / "config.pbtxt"
_PARAMETERS = text_format.Parse(_CONFIG.read_text(), model_config_pb2.ModelConfig()).parameters
CLASSES: list[dict[str, Any]] = json.loads(_PARAMETERS["classes"].string_value)
LANGUAGES: list[str] = json.loads(_PARAMETERS["languages"].string_value)
CROP: dict[str, str] = json.loads(_PARAMETERS["crop"].string_value)
ALL_HINTS = ("too_bright", "blurred", "small")


def spoken(language: str) -> str:
    """The language in which the release answers a reader of `language`."""
    return language if language in LANGUAGES else "en"


def prediction(
    language: str,
    decision: client.Decision = "accepted",
    *,
    likeliest: int = 3,
    plausible: int | None = None,
    quality: tuple[str, ...] = (),
    explained: bool = True,
) -> client.Prediction:
    """A reply; the runner-up is the class after the likeliest."""
    names = [told["names"][spoken(language)] for told in CLASSES]
    shares = dict.fromkeys(names, 0.02)
    first, second = names[likeliest], names[(likeliest + 1) % len(names)]
    shares[first], shares[second] = (0.81, 0.13) if decision == "accepted" else (0.48, 0.46)
    told = CLASSES[likeliest] if decision != "rejected" else None
    count = {"accepted": 1, "uncertain": 2, "rejected": 0}[decision] if plausible is None else plausible
    return {
        "predicted_class_id": likeliest,
        "class_name": first,
        "confidence": shares[first],
        "probabilities": shares,
        "decision": decision,
        "prediction_set": sorted(names, key=lambda name: -shares[name])[:count],
        "quality": list(quality),
        "advice": told["advice"][spoken(language)] if told else None,
        "advice_source": told["source"] if told else None,
        "members": [],
        "release": 1,
        "request_id": "0" * 32,
        "timings_ms": {},
        "prediction_id": "1" * 32,
        "explanation": {"class_name": first, "overlay_png": "b3ZlcmxheQ==", "members": []} if explained else None,
    }


def diagnosis(of: client.Prediction, photos: list[client.PlantPhoto]) -> client.Diagnosis:
    """A reply on several photos that says what `of` says."""
    same = {key: value for key, value in of.items() if key not in ("prediction_id", "explanation")}
    used = sum(photo["used"] for photo in photos)
    more = {"diagnosis_id": "2" * 32, "photos_used": used, "agreement": 1.0, "votes": {}, "photos": photos}
    return cast(client.Diagnosis, {**same, **more})


def photo(index: int, of: client.Prediction | None, *, used: bool = True) -> client.PlantPhoto:
    """One photo of a plant, or one with a problem."""
    if of is None:
        problem = {"type": "/problems/image-too-small", "title": "", "status": 422}
        return {"index": index, "file_name": None, "used": False, "problem": problem}
    return {"index": index, "file_name": None, "used": used, "prediction": of}
