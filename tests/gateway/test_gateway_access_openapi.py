"""The API's description names the credentials that a route needs."""

from pathlib import Path
from typing import Any

import pytest
from access_app import SECRET, build_app

from gateway.access.access import Access
from gateway.access.openapi import describe_credentials
from gateway.database import database_url, open_database
from gateway.settings import Settings


def _described(folder: Path, **changes: Any) -> dict[str, Any]:
    settings = Settings(data_dir=folder, secret=SECRET, **changes)
    engine = open_database(database_url(settings))
    schema = build_app(settings, engine, Access(settings, engine)).openapi()
    describe_credentials(schema, settings)
    engine.dispose()
    return schema


@pytest.mark.parametrize(("host", "needed"), [("0.0.0.0", True), ("127.0.0.1", False)])
def test_a_route_names_both_headers(tmp_path: Path, host: str, needed: bool) -> None:
    schema = _described(tmp_path, host=host)
    schemes = schema["components"]["securitySchemes"]
    assert (schemes["credential"]["type"], schemes["credential"]["scheme"]) == ("http", "bearer")
    assert (schemes["key"]["in"], schemes["key"]["name"]) == ("header", "X-API-Key")
    security = schema["paths"]["/predict"]["post"]["security"]
    assert security[:2] == [{"credential": []}, {"key": []}]
    assert ({} in security) is not needed
    assert "/page/token" not in schema["paths"]
