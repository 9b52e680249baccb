"""The dashboard's page in a real browser: key, figures, charts, reviews; on a phone and on a desk, light and dark.

Screenshots go to the folder that DASHBOARD_SCREENSHOTS names, where it is set.
"""

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from browser import DESKTOP, PHONE, SMALL_PHONE, accessibility_faults, chromium, opened, overflows
from dashboard_app import dashboard_server, opinion, past, store
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from record_entries import entry
from records_app import RecordServer
from sqlalchemy import Engine, insert, select, update

from gateway.access import key_store
from gateway.access.caller import Scope
from gateway.dashboard.names import ChartName
from gateway.database import open_database, upgrade, write
from gateway.database.schema import feedback, predictions
from gateway.records.photos import PhotoStore

SCREENS = [
    pytest.param(PHONE | {"color_scheme": "dark"}, id="phone dark", marks=pytest.mark.long),
    pytest.param(PHONE | {"color_scheme": "light"}, id="phone light", marks=pytest.mark.long),
    pytest.param(SMALL_PHONE | {"color_scheme": "light"}, id="small phone"),
    pytest.param(DESKTOP | {"color_scheme": "dark"}, id="desk dark"),
    pytest.param(DESKTOP | {"color_scheme": "light"}, id="desk light", marks=pytest.mark.long),
]


@dataclass
class Desk:
    """A server with a past and feedback to review, oldest first: a right, a wrong and an unsure one, and ten more."""

    server: RecordServer
    engine: Engine
    waiting: list[str]

    @property
    def url(self) -> str:
        """Where the dashboard is."""
        return f"{self.server.url}/dashboard"

    def key(self) -> str:
        """A key that may review."""
        with self.server.client(Scope.REVIEW) as client:
            return client.headers["Authorization"].removeprefix("Bearer ")

    def said(self, feedback_id: str) -> tuple[str, str | None]:
        """Status of a feedback and the class that an expert has settled."""
        with self.engine.connect() as connection:
            row = connection.execute(select(feedback).where(feedback.c.id == feedback_id)).one()
        return row.status, row.confirmed_class_key


def _photo() -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((640, 480)).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()


@contextmanager
def desk(folder: Path, answers: int = 400, **settings: Any) -> Iterator[Desk]:
    """A server of its own, so that a test may review what it likes."""
    engine = open_database(f"sqlite:///{folder / 'gateway.db'}")
    upgrade(engine)
    waiting: list[str] = []
    if answers:
        now = datetime.now(UTC)
        reviewed = [entry(created_at=now - timedelta(minutes=120 - minute), release=7) for minute in range(13)]
        store(engine, *past(answers, 690), *reviewed)
        verdicts = [("correct", None), ("wrong", "cbsd"), ("unsure", None)] + [("wrong", "cbb")] * 10
        rows = [opinion(each, said, class_key=key) for each, (said, key) in zip(reviewed, verdicts, strict=True)]
        rows[1]["comment"] = "<img src=x onerror=alert(1)> Streaks on the stem"
        with write(engine) as connection:
            connection.execute(insert(feedback), rows)
            first = predictions.c.id == reviewed[0].prediction_id
            connection.execute(update(predictions).where(first).values(photo_kept=True))
        PhotoStore(folder / "photos").keep(reviewed[0].prediction_id, _photo())
        waiting = [row["id"] for row in rows]
    with dashboard_server(engine, folder, **settings) as server:
        yield Desk(server, engine, waiting)
    engine.dispose()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for this file."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk for the tests that only look."""
    with desk(tmp_path_factory.mktemp("desk")) as shared:
        yield shared


def enter(page: Page, key: str) -> None:
    """Give the key and wait for all figures, charts and photos."""
    page.get_by_label("Key or token").fill(key)
    page.get_by_role("button", name="Open the dashboard").click()
    wait_for_charts(page)


def wait_for_charts(page: Page) -> None:
    """Until every chart is drawn."""
    expect(page.locator("img.chart")).to_have_count(len(ChartName))
    for image in page.locator("img.chart").all():
        expect(image).to_have_js_property("complete", True)
        expect(image).not_to_have_js_property("naturalWidth", 0)
    expect(page.locator("#figures")).not_to_have_attribute("aria-busy", "true")


def shoot(page: Page, name: str) -> None:
    """A picture of the whole page for people to look at."""
    if folder := os.environ.get("DASHBOARD_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.parametrize("screen", SCREENS)
def test_every_state_is_accessible_and_fits_the_screen(
    browser: Browser, shared: Desk, screen: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.id.replace(" ", "-")
    with opened(browser, shared.url, **screen) as page:
        expect(page.get_by_role("heading", name="A key is needed")).to_be_visible()
        shoot(page, f"{name}-key")
        assert accessibility_faults(page) == [] and not overflows(page)
        enter(page, shared.key())
        expect(page.locator(".review")).to_have_count(6)
        expect(page.locator("button.photo img")).not_to_have_js_property("naturalWidth", 0)
        shoot(page, name)
        assert accessibility_faults(page) == [] and not overflows(page)
        for summary in page.locator("details > summary").all():
            summary.click()
        assert accessibility_faults(page) == [] and not overflows(page)
        page.get_by_role("button", name="Enlarge the photo").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert accessibility_faults(page) == []
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
        expect(page.get_by_role("button", name="Enlarge the photo")).to_be_focused()


def test_a_key_is_kept_in_the_tab_alone_and_never_in_an_address(browser: Browser, shared: Desk) -> None:
    key = shared.key()
    with opened(browser, shared.url) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.get_by_label("Key or token").fill("leaf_00000000_" + "x" * 43)
        page.get_by_role("button", name="Open the dashboard").click()
        expect(page.get_by_role("alert")).to_contain_text("This key is unknown or revoked.")
        expect(page.get_by_label("Key or token")).to_be_focused()
        assert page.evaluate("sessionStorage.length") == 0
        enter(page, key)
        expect(page.get_by_role("alert")).to_be_hidden()
        expect(page.locator("#figures")).to_be_focused()
        assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 1, ""]
        page.reload()
        wait_for_charts(page)
        assert not [url for url in asked if key in url]
        page.get_by_role("button", name="Forget key").click()
        expect(page.get_by_role("heading", name="A key is needed")).to_be_visible()
        assert page.evaluate("sessionStorage.length") == 0 and key not in page.content()


def test_a_revoked_key_asks_for_another(browser: Browser, shared: Desk) -> None:
    with shared.server.client(Scope.REVIEW, name="short-lived") as client:
        key = client.headers["Authorization"].removeprefix("Bearer ")
        with opened(browser, shared.url) as page:
            enter(page, key)
            assert key_store.revoke_key(shared.engine, key.split("_")[1])
            page.wait_for_timeout(500)  # the server looks at the keys every 0.1 s
            page.get_by_role("button", name="Refresh").click()
            expect(page.get_by_role("alert")).to_contain_text("unknown or revoked")
            expect(page.locator("#figures")).to_be_hidden()


def test_a_key_without_the_scope_is_told_so(browser: Browser, shared: Desk) -> None:
    with shared.server.client(Scope.PREDICT) as client, opened(browser, shared.url) as page:
        page.get_by_label("Key or token").fill(client.headers["Authorization"].removeprefix("Bearer "))
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("This needs a credential with the scope review.")


def test_figures_charts_and_tables_say_the_same(browser: Browser, shared: Desk) -> None:
    with shared.server.client(Scope.REVIEW) as client, opened(browser, shared.url, **DESKTOP) as page:
        enter(page, shared.key())
        page.get_by_label("30 days").check()
        summary = client.get("/v1/dashboard/summary", params={"hours": 720}).json()
        expect(page.locator(".tile", has_text="Answers").locator(".value")).to_have_text(str(summary["answers"]))
        expect(page.locator(".tile", has_text="To review").locator(".value")).to_have_text("13")
        expect(page.get_by_role("img", name=f"Chart: Answers. {summary['answers']} answers")).to_be_visible()
        card = page.get_by_role("article", name="Answers", exact=True)
        card.locator("summary").click()
        rows = card.locator("tbody tr td")
        expect(rows).to_have_count(30)
        assert [int(text) for text in rows.all_inner_texts()] == summary["volume"]
        classes = page.get_by_role("article", name="Classes", exact=True)
        expect(classes.get_by_role("img")).to_have_attribute("alt", re.compile("Cassava Mosaic Disease"))
        releases = page.get_by_role("region", name="Figures of each release").locator("tbody tr")
        expect(releases).to_have_count(2)
        expect(releases.first).to_contain_text("Release 8")


def test_charts_follow_period_theme_and_width(browser: Browser, shared: Desk) -> None:
    with opened(browser, shared.url, **PHONE, color_scheme="light") as page:
        asked: list[dict[str, list[str]]] = []

        def note(url: str) -> None:
            if ".svg?" in url:
                asked.append(parse_qs(urlsplit(url).query))

        page.on("request", lambda request: note(request.url))
        enter(page, shared.key())
        assert asked == [{"hours": ["24"], "theme": ["light"], "size": ["narrow"]}] * len(ChartName)
        asked.clear()
        page.get_by_label("7 days").check()
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size({"width": 1280, "height": 900})
        expect(page.locator("#figures")).not_to_have_attribute("aria-busy", "true")
        wait_for_charts(page)
        assert asked[-1] == {"hours": ["168"], "theme": ["dark"], "size": ["wide"]}


def test_an_expert_settles_feedback_by_keyboard(browser: Browser, tmp_path: Path) -> None:
    with desk(tmp_path, answers=50) as own, opened(browser, own.url, **PHONE) as page:
        enter(page, own.key())
        status = page.locator("#reviews-status")
        expect(status).to_have_text("13 wait, the oldest first.")
        first, second, third = (page.locator(".review").nth(index) for index in range(3))
        expect(first).to_contain_text("Somebody says it is right")
        expect(second).to_contain_text("Somebody says it is wrong: Cassava Brown Streak Disease")
        expect(second.locator("blockquote")).to_have_text("<img src=x onerror=alert(1)> Streaks on the stem")
        expect(third).to_contain_text("Somebody is not sure")
        expect(third.get_by_role("button", name="Confirm")).to_have_count(0)

        first.get_by_role("button", name="Confirm Cassava Mosaic Disease").focus()
        page.keyboard.press("Enter")
        expect(status).to_have_text("Confirmed as Cassava Mosaic Disease. 12 wait, the oldest first.")
        assert own.said(own.waiting[0]) == ("confirmed", "cmd")
        heading = page.locator(".review").first.locator("h3")
        expect(heading).to_be_focused()

        page.locator(".review").first.get_by_role("button", name="Confirm Cassava Brown Streak Disease").press("Enter")
        expect(status).to_contain_text("11 wait")
        assert own.said(own.waiting[1]) == ("confirmed", "cbsd")

        unsure = page.locator(".review").first
        expect(unsure.get_by_role("button", name="Save")).to_be_disabled()
        unsure.get_by_label("The class it really is").select_option("Healthy")
        unsure.get_by_role("button", name="Save").press("Enter")
        expect(status).to_have_text("Saved as Healthy. 10 wait, the oldest first.")
        assert own.said(own.waiting[2]) == ("confirmed", "healthy")

        page.locator(".review").first.get_by_role("button", name="Dismiss").press("Enter")
        expect(status).to_have_text("Dismissed. 9 wait, the oldest first.")
        assert own.said(own.waiting[3]) == ("dismissed", None)

        page.get_by_role("button", name="Show more").click()
        expect(page.locator(".review")).to_have_count(8)
        expect(page.locator(".review").nth(2).locator("h3")).to_be_focused()
        page.get_by_role("button", name="Show more").click()
        expect(page.locator(".review")).to_have_count(9)
        expect(page.get_by_role("button", name="Show more")).to_be_hidden()


def test_feedback_that_has_changed_meanwhile_is_not_confirmed(browser: Browser, tmp_path: Path) -> None:
    with desk(tmp_path, answers=50) as own, opened(browser, own.url, **DESKTOP) as page:
        enter(page, own.key())
        second = page.locator(".review").nth(1)
        with write(own.engine) as connection:
            connection.execute(update(feedback).where(feedback.c.id == own.waiting[1]).values(class_key="cgm"))
        second.get_by_role("button", name="Confirm Cassava Brown Streak Disease").click()
        expect(second.get_by_role("alert")).to_have_text("This feedback says cgm by now. Look at it again.")
        assert own.said(own.waiting[1]) == ("pending", None)
        assert accessibility_faults(page) == []
        expect(second.get_by_role("button", name="Dismiss")).to_be_enabled()


def test_an_empty_gateway_says_so_and_asks_for_no_key_on_its_own_machine(browser: Browser, tmp_path: Path) -> None:
    with (
        desk(tmp_path, answers=0, host="127.0.0.1", auth="open") as own,
        opened(browser, own.url, **DESKTOP) as page,
    ):
        wait_for_charts(page)
        expect(page.get_by_role("heading", name="A key is needed")).to_be_hidden()
        expect(page.get_by_role("button", name="Forget key")).to_be_hidden()
        expect(page.get_by_text("Nothing waits for you.")).to_be_visible()
        expect(page.get_by_text("No release has answered in this period.")).to_be_visible()
        for name in ("Time to answer", "Feedback", "Classes"):
            expect(page.get_by_role("article", name=name, exact=True).locator(".says")).to_have_text(
                "Nothing in this period."
            )
        shoot(page, "empty")
        assert accessibility_faults(page) == []


def test_a_gateway_that_is_gone_is_said_and_the_figures_stay(browser: Browser, tmp_path: Path) -> None:
    with desk(tmp_path, answers=50) as own, opened(browser, own.url, **PHONE) as page:
        enter(page, own.key())
        page.route("**/v1/dashboard/**", lambda route: route.abort("connectionrefused"))
        page.get_by_role("button", name="Refresh").click()
        expect(page.get_by_role("alert").first).to_have_text(
            "The gateway does not answer. Check the connection, then refresh."
        )
        expect(page.locator(".tile")).to_have_count(6)
        page.unroute("**/v1/dashboard/**")
        page.get_by_role("button", name="Refresh").click()
        expect(page.locator("#message")).to_be_hidden()
