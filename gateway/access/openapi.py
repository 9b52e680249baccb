"""How the API's description names credentials."""

from typing import Any

from gateway.access.addresses import is_loopback
from gateway.access.admission import SCHEME
from gateway.settings import Settings

_KEY_SCHEME = "key"


def describe_credentials(schema: dict[str, Any], settings: Settings) -> None:
    """Name the second header as an alternative in a finished OpenAPI document; none at all where the gateway may be open."""
    schemes = schema.get("components", {}).get("securitySchemes", {})
    if SCHEME not in schemes:
        return
    schemes[_KEY_SCHEME] = {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "API key."}
    alternatives: list[dict[str, list[str]]] = [{SCHEME: []}, {_KEY_SCHEME: []}]
    if is_loopback(settings.host) and settings.auth != "required":
        alternatives.append({})
    for path in schema["paths"].values():
        for operation in path.values():
            if isinstance(operation, dict) and "security" in operation:
                operation["security"] = alternatives
