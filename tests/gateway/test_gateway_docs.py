"""/docs shows the API in a browser, from files of this gateway alone."""

import browser as browsers
import httpx2
import pytest
from processes import GatewayProcess

PATHS = ["/docs", "/docs/start.js", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css"]


@pytest.mark.parametrize("path", PATHS)
def test_files_are_fenced_in(client: httpx2.Client, path: str) -> None:
    reply = client.get(path)
    assert reply.status_code == 200
    assert reply.headers["Content-Security-Policy"].startswith(
        "default-src 'none'; script-src 'self'; style-src 'self';"
    )
    assert client.get(path, headers={"If-None-Match": reply.headers["ETag"]}).status_code == 304


def test_nothing_else_is_served(client: httpx2.Client) -> None:
    assert client.get("/docs/__init__.py").status_code == 404
    assert client.get("/redoc").status_code == 404


def test_a_browser_shows_every_route(gateway: GatewayProcess) -> None:
    with browsers.chromium() as chromium, browsers.opened(chromium, gateway.url) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{gateway.url}/docs")
        page.get_by_text("Diagnose one leaf photo", exact=True).wait_for()
        assert page.locator(".opblock").count() > 10
        assert [url for url in asked if not url.startswith((gateway.url, "data:"))] == []
