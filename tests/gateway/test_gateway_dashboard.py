"""The dashboard over HTTP: who may see it, what it answers, and what it is worth in a chart."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from dashboard_app import dashboard_server, past, say, store
from null_repository import CLASS_NAMES
from postgres import running_postgres
from record_entries import entry
from records_app import RecordServer
from sqlalchemy import Engine, event

from gateway.access.caller import Scope
from gateway.dashboard.charts import draw_chart
from gateway.dashboard.figures import read_summary
from gateway.dashboard.names import ChartName, ChartSize, ThemeName
from gateway.dashboard.periods import Hours, Period
from gateway.database import open_database, upgrade

DATA_ROUTES = ("/v1/dashboard/summary", "/v1/dashboard/charts/volume.svg")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A database with a busy past of 30 days."""
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('dashboard') / 'gateway.db'}")
    upgrade(engine)
    entries = list(past(1500, 690))
    store(engine, *entries)
    for each in entries[::30]:
        say(engine, each, "wrong", class_key="cbb")
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def server(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordServer]:
    """A server that needs keys."""
    with dashboard_server(engine, tmp_path_factory.mktemp("state")) as server:
        yield server


@pytest.fixture(scope="module")
def reviewer(server: RecordServer) -> Iterator[httpx2.Client]:
    """An HTTP client with a key of scope review."""
    with server.client(Scope.REVIEW) as client:
        yield client


@pytest.mark.parametrize("path", DATA_ROUTES)
def test_figures_need_the_scope_review(server: RecordServer, path: str) -> None:
    with server.client() as nobody, server.client(Scope.PREDICT, Scope.DELEGATE) as other:
        refused, forbidden = nobody.get(path), other.get(path)
    assert refused.status_code == 401 and refused.headers["www-authenticate"].startswith("Bearer")
    assert forbidden.status_code == 403 and 'scope="review"' in forbidden.headers["www-authenticate"]
    assert {each.headers["content-type"] for each in (refused, forbidden)} == {"application/problem+json"}


@pytest.mark.parametrize("path", DATA_ROUTES)
def test_a_key_in_the_address_is_refused(server: RecordServer, path: str) -> None:
    with server.client(Scope.REVIEW) as client:
        key = client.headers.pop("Authorization").removeprefix("Bearer ")
        answer = client.get(path, params={"key": key})
    assert answer.status_code == 400 and answer.json()["type"] == "/problems/credential-in-url"


@pytest.mark.parametrize("hours", [24, 168, 720])
def test_the_summary_adds_up(reviewer: httpx2.Client, hours: int) -> None:
    answer = reviewer.get("/v1/dashboard/summary", params={"hours": hours})
    assert answer.status_code == 200 and answer.headers["cache-control"] == "private, no-store"
    summary = answer.json()
    answers, buckets = summary["answers"], len(summary["starts"])
    assert 0 < answers <= 1500 and sum(summary["volume"]) == answers
    assert buckets * summary["bucket_hours"] == hours
    assert sum(map(sum, summary["decisions"].values())) == answers
    assert sum(sum(each["counts"]) for each in summary["classes"]) == answers
    assert sum(map(sum, summary["confidence"]["counts"].values())) == answers
    assert sum(each["answers"] for each in summary["releases"]) == answers
    assert [each["name"] for each in summary["classes"]] == [names["en"] for names in CLASS_NAMES.values()]
    assert all(start.endswith("Z") for start in summary["starts"])
    share = summary["decision_shares"]["accepted"]
    assert 0 < share["low"] < share["value"] < share["high"] < 1
    assert summary["pending_reviews"] == 50


@pytest.mark.parametrize("path", ["/v1/dashboard/summary?hours=25", "/v1/dashboard/charts/volume.svg?theme=pink"])
def test_other_parameters_are_refused(reviewer: httpx2.Client, path: str) -> None:
    answer = reviewer.get(path)
    assert answer.status_code == 422 and answer.json()["type"] == "/problems/invalid-request"


@pytest.mark.parametrize("path", ["/v1/dashboard/charts/salary.svg", "/v1/dashboard/charts/volume.png"])
def test_other_charts_are_refused(reviewer: httpx2.Client, path: str) -> None:
    assert reviewer.get(path).status_code in (404, 422)


@pytest.mark.parametrize("name", list(ChartName))
def test_charts_are_svg_without_scripts_or_links(reviewer: httpx2.Client, name: ChartName) -> None:
    found = {}
    for theme in ThemeName:
        for size in ChartSize:
            answer = reviewer.get(
                f"/v1/dashboard/charts/{name}.svg", params={"theme": theme, "size": size, "hours": 168}
            )
            assert answer.status_code == 200 and answer.headers["content-type"] == "image/svg+xml"
            assert answer.headers["cache-control"] == "private, no-store"
            found[theme, size] = answer.text
            root = ElementTree.fromstring(answer.text)
            assert root.tag == f"{SVG}svg" and not list(root.iter(f"{SVG}script"))
            outside = re.findall(r"(?:href|url)\W{0,3}(https?:[^\"' )]*)", answer.text)
            assert not outside, "the chart must not load anything"
    assert len(set(found.values())) == 4


def test_charts_of_an_empty_period_say_so(engine: Engine) -> None:
    with engine.connect() as connection:
        long_ago = Period.until(datetime(2001, 1, 1, tzinfo=UTC), Hours.DAY)
        empty = read_summary(connection, long_ago, {"cmd": "Cassava Mosaic Disease"})
        full = read_summary(connection, Period.until(datetime.now(UTC), Hours.MONTH), {})
    for name in ChartName:
        drawn = draw_chart(name, empty, ThemeName.LIGHT, ChartSize.NARROW)
        assert b"<!-- No " in drawn and b" in this period -->" in drawn  # text is drawn, and named beside it
        assert b"in this period -->" not in draw_chart(name, full, ThemeName.LIGHT, ChartSize.NARROW)


def test_a_class_may_have_any_name(engine: Engine) -> None:
    names = {"cmd": "<script>$\\frac{1}$ & \u200b" + "x" * 200, "cbb": "_hidden", "healthy": ""}
    with engine.connect() as connection:
        summary = read_summary(connection, Period.until(datetime.now(UTC), Hours.MONTH), names)
    drawn = draw_chart(ChartName.CLASSES, summary, ThemeName.DARK, ChartSize.NARROW)
    assert not list(ElementTree.fromstring(drawn).iter(f"{SVG}script"))
    assert b"<!-- hidden -->" in drawn and b"<!-- (no name) -->" in drawn and b"x" * 50 not in drawn


def test_many_classes_share_colours_in_a_row_of_others(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'gateway.db'}")
    upgrade(engine)
    store(engine, *(entry(class_key=f"class{index:02}") for index in range(38) for _ in range(index + 1)))
    with engine.connect() as connection:
        summary = read_summary(connection, Period.until(datetime.now(UTC), Hours.DAY), {})
    engine.dispose()
    assert len(summary.classes) == 38
    drawn = draw_chart(ChartName.CLASSES, summary, ThemeName.LIGHT, ChartSize.WIDE).decode()
    assert "<!-- 31 others -->" in drawn and "<!-- class37 -->" in drawn and "<!-- class00 -->" not in drawn


def test_the_same_question_asks_the_database_once(engine: Engine, tmp_path: Path) -> None:
    asked: list[str] = []

    def note(_c: object, _k: object, statement: str, *_: object) -> None:
        if "count(*)" in statement and "confidence" in statement:
            asked.append(statement)

    with dashboard_server(engine, tmp_path) as server, server.client(Scope.REVIEW) as client:
        event.listen(engine, "before_cursor_execute", note)
        try:
            with ThreadPoolExecutor(12) as pool:
                paths = [f"/v1/dashboard/charts/{name}.svg" for name in ChartName] + ["/v1/dashboard/summary"] * 3
                assert {answer.status_code for answer in pool.map(client.get, paths)} == {200}
        finally:
            event.remove(engine, "before_cursor_execute", note)
    assert len(asked) == 1


def test_the_page_holds_no_figures_and_asks_for_nothing_elsewhere(server: RecordServer) -> None:
    with server.client() as nobody:
        page = nobody.get("/dashboard")
        assert page.status_code == 200 and page.headers["content-type"] == "text/html; charset=utf-8"
        policy = dict(part.split(maxsplit=1) for part in page.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'" and policy["script-src"] == "'self'" == policy["style-src"]
        assert policy["frame-ancestors"] == "'none'" == policy["form-action"] == policy["base-uri"]
        assert policy["img-src"] == "'self' blob: data:" and "unsafe" not in page.headers["content-security-policy"]
        assert page.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", page.text)
        wanted = re.findall(r'(?:src|href)="([^#"]+)"', page.text)
        scripts = [name for name in wanted if name.endswith(".js")]
        seen = set()
        while wanted:
            path = wanted.pop()
            assert not path.startswith(("http", "//")), path
            if path in seen:
                continue
            seen.add(path)
            file = nobody.get(f"/{path}")
            assert file.status_code == 200, path
            assert file.headers["content-security-policy"] == page.headers["content-security-policy"]
            if path.endswith(".js"):
                assert file.headers["content-type"].startswith("text/javascript")
                assert not re.search(
                    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|localStorage", file.text
                )
                wanted += [f"dashboard/{name}" for name in re.findall(r'from "\./([\w.]+)"', file.text)]
        assert scripts and len(seen) >= 8


def test_the_page_is_cached_by_its_content(server: RecordServer) -> None:
    with server.client() as nobody:
        first = nobody.get("/dashboard/main.js")
        again = nobody.get("/dashboard/main.js", headers={"If-None-Match": first.headers["etag"]})
        other = nobody.get("/dashboard/main.js", headers={"If-None-Match": '"other"'})
    assert (again.status_code, again.content, other.status_code) == (304, b"", 200)


@pytest.mark.parametrize("path", ["/dashboard/shell.py", "/dashboard/..%2fcharts.py", "/dashboard/%2e%2e/figures.py"])
def test_only_the_pages_own_files_are_served(server: RecordServer, path: str) -> None:
    with server.client() as nobody:
        answer = nobody.get(path)
    assert answer.status_code == 404 and answer.headers["content-type"] == "application/problem+json"


def test_it_can_be_switched_off_alone(engine: Engine, tmp_path: Path) -> None:
    with (
        dashboard_server(engine, tmp_path, dashboard=False) as off,
        off.client(Scope.REVIEW) as client,
        off.client() as nobody,
    ):
        for path in ("/dashboard", "/dashboard/main.js", *DATA_ROUTES):
            assert {client.get(path).json()["type"], nobody.get(path).json()["type"]} == {"/problems/not-found"}
        assert client.get("/v1/feedback").status_code == 200
    with dashboard_server(engine, tmp_path, page=False) as server, server.client(Scope.REVIEW) as client:
        assert client.get("/dashboard").status_code == client.get("/v1/dashboard/summary").status_code == 200


def test_an_open_gateway_shows_it_to_its_own_machine_alone(engine: Engine, tmp_path: Path) -> None:
    with dashboard_server(engine, tmp_path, host="127.0.0.1", auth="open") as server, server.client() as client:
        own = client.get("/v1/dashboard/summary")
        rebound = client.get("/v1/dashboard/summary", headers={"Host": "evil.example"})
        foreign = client.get("/v1/dashboard/summary", headers={"Sec-Fetch-Site": "cross-site"})
    assert (own.status_code, rebound.status_code, foreign.status_code) == (200, 403, 403)


def test_a_database_that_is_gone_is_a_problem_that_passes(tmp_path: Path) -> None:
    with running_postgres() as cluster:
        engine = open_database(cluster.new_database())
        upgrade(engine)
        store(engine, entry(created_at=datetime.now(UTC) - timedelta(minutes=1)))
        with dashboard_server(engine, tmp_path) as server, server.client(Scope.REVIEW) as client:
            assert client.get("/v1/dashboard/summary").json()["answers"] == 1
            cluster.stop()
            gone = client.get("/v1/dashboard/summary", params={"hours": 168})
            assert gone.status_code == 503 and gone.json()["type"] == "/problems/records-unavailable"
            assert int(gone.headers["retry-after"]) > 0
            cluster.start()
            assert client.get("/v1/dashboard/summary", params={"hours": 168}).json()["answers"] == 1
        engine.dispose()
