"""The page's files: what a browser gets, how much of it, and whether every language has every text."""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from gateway.api import page as page_routes
from gateway.middleware import RequestContext
from gateway.page import files
from gateway.page.files import Page, read_page
from gateway.problems import install_problem_handlers

FOLDER = Path(files.__file__).parent
SOURCES = {path.name: path.read_text() for path in (FOLDER / "static").iterdir()}
TEXTS = {path.stem: json.loads(path.read_text()) for path in (FOLDER / "texts").iterdir()}
MOST_TRANSFERRED_BYTES, MOST_BYTES = 30_000, 70_000
CHOSEN_AT_RUN_TIME = ("decision_", "next_", "problem_", "privacy_", "about_", "advice_", "ready_")
QUALITY_HINTS = {"too_dark", "too_bright", "blurred", "small"}


def application(page: Page | None) -> FastAPI:
    """The page's routes alone."""
    app = FastAPI()
    app.state.page = page
    app.include_router(page_routes.router)
    app.add_middleware(RequestContext)
    install_problem_handlers(app)
    return app


@pytest.fixture(scope="module")
def page() -> Page:
    """The page of a gateway that keeps photos with consent."""
    return read_page("consent")


@pytest.fixture(scope="module")
def http(page: Page) -> Iterator[TestClient]:
    """HTTP client of the page's routes."""
    with TestClient(application(page)) as client:
        yield client


def placeholders(text: str) -> set[str]:
    """Names in braces."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_every_file_has_the_strict_headers(http: TestClient, page: Page) -> None:
    addresses = ["/", *(f"/page/{page.version}/{name}" for name in page.files)]
    for address in addresses:
        reply = http.get(address)
        assert reply.status_code == 200, address
        policy = dict(part.split(" ", 1) for part in reply.headers["content-security-policy"].split("; "))
        assert policy == {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self'",
            "img-src": "'self' blob: data:",
            "connect-src": "'self'",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'none'",
            "require-trusted-types-for": "'script'",
            "trusted-types": "'none'",
        }
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "same-origin"
        assert "camera=()" in reply.headers["permissions-policy"]


def test_the_document_has_no_inline_script_or_style_and_nothing_from_elsewhere(page: Page) -> None:
    document = page.index.content.decode()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:", document)
    assert not re.search(r"(src|href)=\"(https?:)?//", document)
    assert "innerHTML" not in "".join(SOURCES.values())


def test_all_that_the_document_names_is_there_and_every_script_is_preloaded(http: TestClient, page: Page) -> None:
    document = page.index.content.decode()
    named = re.findall(r'(?:src|href)="(page/[^"]+)"', document)
    assert all(http.get(f"/{address}").status_code == 200 for address in named)
    assert {address.rsplit("/", 1)[1] for address in named} == {name for name in page.files if "/" not in name}
    imported = set(re.findall(r'from "\./([\w.]+)"', "".join(SOURCES.values())))
    assert imported <= set(page.files)


def test_versioned_files_are_kept_for_ever_and_the_document_is_asked_for_again(http: TestClient, page: Page) -> None:
    document = http.get("/")
    assert document.headers["cache-control"] == "no-cache"
    unchanged = http.get("/", headers={"If-None-Match": document.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["content-security-policy"] == document.headers["content-security-policy"]
    assert "immutable" in http.get(f"/page/{page.version}/main.js").headers["cache-control"]
    from_before = http.get("/page/0123456789abcdef/main.js")
    assert from_before.status_code == 200
    assert from_before.headers["cache-control"] == "no-cache"


def test_a_changed_file_changes_the_version_and_so_the_document(monkeypatch: pytest.MonkeyPatch, page: Page) -> None:
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + (b"\n" if path.name == "main.js" else b""))
    changed = read_page("consent")
    assert changed.version != page.version
    assert changed.index.etag != page.index.etag


def test_who_reads_gzip_gets_it(http: TestClient, page: Page) -> None:
    address = f"/page/{page.version}/main.js"
    plain = http.get(address, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    with http.stream("GET", address, headers={"Accept-Encoding": "gzip, br"}) as reply:
        assert reply.headers["content-encoding"] == "gzip"
        assert reply.headers["vary"] == "Accept-Encoding"
        assert gzip.decompress(b"".join(reply.iter_raw())) == plain.content


def test_head_is_answered(http: TestClient) -> None:
    assert http.head("/").status_code == 200


@pytest.mark.parametrize("language", TEXTS)
def test_the_whole_page_in_one_language_stays_light(page: Page, language: str) -> None:
    scripts = [file for name, file in page.files.items() if "/" not in name]
    loaded = [page.index, *scripts, page.files[f"texts/{language}.json"]]
    assert sum(len(file.compressed) for file in loaded) < MOST_TRANSFERRED_BYTES
    assert sum(len(file.content) for file in loaded) < MOST_BYTES


@pytest.mark.parametrize("address", ["/", "/page/0/main.js", "/page/0/texts/en.json"])
def test_switched_off_there_is_no_page(address: str) -> None:
    with TestClient(application(None)) as client:
        reply = client.get(address)
    assert reply.status_code == 404
    assert reply.headers["content-type"] == "application/problem+json"
    assert "GATEWAY_PAGE" in reply.json()["detail"]


@pytest.mark.parametrize("name", ["nothing.js", "texts/xx.json", "../files.py", "texts/../../files.py", "index.html"])
def test_nothing_else_can_be_asked_for(http: TestClient, page: Page, name: str) -> None:
    reply = http.get(f"/page/{page.version}/{name.replace('..', '%2e%2e')}")
    assert reply.status_code == 404
    assert reply.json()["type"] == "/problems/not-found"


@pytest.mark.parametrize("keep_photos", ["always", "consent", "never"])
def test_the_document_says_whether_photos_are_kept(keep_photos: str) -> None:
    document = read_page(keep_photos).index.content.decode()
    assert f'data-keep-photos="{keep_photos}"' in document
    assert "@" not in re.sub(r"[\w.]+@[\w.]+", "", document)
    assert all(f"privacy_{keep_photos}" in texts for texts in TEXTS.values())


@pytest.mark.parametrize("language", [language for language in TEXTS if language != "en"])
def test_every_language_has_every_text_with_its_placeholders(language: str) -> None:
    english, texts = TEXTS["en"], TEXTS[language]
    assert list(texts) == list(english)
    assert isinstance(texts["reviewed"], bool)
    for key in english.keys() - {"reviewed"}:
        assert texts[key].strip(), key
        assert placeholders(texts[key]) == placeholders(english[key]), key


def test_the_selector_offers_exactly_the_languages_that_are_there() -> None:
    names = re.search(r"const NAMES = \{(.+?)\}", SOURCES["texts.js"])
    assert names is not None
    assert set(re.findall(r"(\w+):", names[1])) == set(TEXTS)


def test_every_text_is_used_and_every_used_text_is_there() -> None:
    document, code = SOURCES["index.html"], "".join(text for name, text in SOURCES.items() if name.endswith(".js"))
    used = set(re.findall(r'data-(?:text|label)="(\w+)"', document)) | set(re.findall(r'\btext\(\s*"(\w+)"', code))
    there = TEXTS["en"].keys() - {"reviewed"}
    assert used <= there
    unused = {key for key in there - used - QUALITY_HINTS if not key.startswith(CHOSEN_AT_RUN_TIME)}
    assert not unused
