"""A typed Python client of the gateway's HTTP API; needs httpx2 and nothing else of this project."""

from client.client import GatewayClient
from client.errors import GatewayError, Refused, Unreachable
from client.replies import Answer, Batch, Decision, Diagnosis, Explanation, Item, PlantPhoto, Prediction, Verdict

__all__ = [
    "Answer",
    "Batch",
    "Decision",
    "Diagnosis",
    "Explanation",
    "GatewayClient",
    "GatewayError",
    "Item",
    "PlantPhoto",
    "Prediction",
    "Refused",
    "Unreachable",
    "Verdict",
]
