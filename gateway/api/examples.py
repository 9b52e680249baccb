"""Examples of the answers about photos, as the API's description shows them."""

from typing import Any

from gateway import errors
from gateway.api.problem_examples import REQUEST_ID, problem_example

_PROBABILITIES = {
    "Cassava Bacterial Blight": 0.91,
    "Cassava Brown Streak Disease": 0.02,
    "Cassava Green Mottle": 0.01,
    "Cassava Mosaic Disease": 0.03,
    "Healthy": 0.03,
}
_ADVICE = {
    "advice": "Pull out and burn plants with dying shoots. Take cuttings from healthy plants only.",
    "advice_source": "https://plantwiseplusknowledgebank.org",
}
_TIMINGS = {"receive": 1.0, "queue": 0.1, "check": 2.1, "infer": 88.0, "respond": 0.4, "total": 91.6}

PREDICTION: dict[str, Any] = {
    "predicted_class_id": 0,
    "class_name": "Cassava Bacterial Blight",
    "confidence": 0.91,
    "probabilities": _PROBABILITIES,
    "decision": "accepted",
    "prediction_set": ["Cassava Bacterial Blight"],
    "members": [
        {"name": name, "predicted_class_id": 0, "probabilities": _PROBABILITIES}
        for name in ("efficientnet_b4", "vit_base_384")
    ],
    "release": 3,
    "prediction_id": "5f0c6c9b8f6f4a0f9f8b1c2d3e4f5a6b",
    "request_id": REQUEST_ID,
    "timings_ms": _TIMINGS,
    "quality": [],
    **_ADVICE,
    "explanation": None,
}
_REFUSED = {
    "index": 1,
    "file_name": "leaf-2.jpg",
    "problem": problem_example(errors.UndecodableImage, "/v1/predict:batch"),
}
BATCH: dict[str, Any] = {
    "results": [{"index": 0, "file_name": "leaf-1.jpg", "prediction": PREDICTION}, _REFUSED],
    "batch_id": "7b0d1c2e3f405162738495a6b7c8d9ea",
    "request_id": REQUEST_ID,
}
DIAGNOSIS: dict[str, Any] = {
    **{key: PREDICTION[key] for key in ("predicted_class_id", "class_name", "confidence", "probabilities")},
    **{key: PREDICTION[key] for key in ("decision", "prediction_set", "members", "release")},
    "diagnosis_id": "c1d2e3f405162738495a6b7c8d9eaf0b",
    "request_id": REQUEST_ID,
    "timings_ms": _TIMINGS,
    "quality": [],
    **_ADVICE,
    "photos_used": 1,
    "agreement": 1.0,
    "votes": {"Cassava Bacterial Blight": 1},
    "photos": [
        {"index": 0, "file_name": "leaf-1.jpg", "prediction": PREDICTION, "used": True},
        {**_REFUSED, "problem": problem_example(errors.UndecodableImage, "/v1/diagnoses"), "used": False},
    ],
}
