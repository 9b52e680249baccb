"""The page in a real Chromium against the real gateway: from photo to diagnosis to feedback, and what can go wrong.

Screenshots of every state go to the folder that PAGE_SCREENSHOTS names, where it is set.
"""

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from browser import DESKTOP, PHONE, SMALL_PHONE, accessibility_faults, chromium, opened, overflows
from null_repository import EXPLAINED, write_ensemble, write_null_model
from photos import encode, picture
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect
from processes import GatewayProcess, TritonProcess, free_ports, running_gateway

from gateway import errors
from gateway.errors import Problem

DARK = PHONE | {"color_scheme": "dark"}
SCREENS = {"phone": PHONE, "dark": DARK, "small": SMALL_PHONE, "desktop": DESKTOP}
UNSURE = "probabilities=0.05,0.05,0.4,0.45,0.05"
NOTHING = "probabilities=0.18,0.18,0.18,0.18,0.18"
MOST_TRANSFERRED_BYTES = 40_000
"""With all headers and the first answers of the API."""
A_DEFECT_OR_NOT_FOR_PEOPLE = {
    "/problems/credential-in-url",
    "/problems/origin-refused",
    "/problems/malformed-request",
    "/problems/head-too-large",
    "/problems/method-not-allowed",
    "/problems/not-found",
    "/problems/invalid-request",
    "/problems/unknown-class",
    "/problems/unknown-feedback",
    "/problems/unknown-release",
    "/problems/route-conflict",
    "/problems/invalid-route",
    "/problems/release-refused",
    "/problems/client-gone",
}
"""Problems that this page cannot cause unless it or the service has a fault, and says so."""

Shoot = Callable[[Page, str], None]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser; each test opens profiles of its own in it."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(null_triton: TritonProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway that lets this machine do everything, so that a test sees what experts see."""
    with running_gateway(null_triton.grpc_url, tmp_path_factory.mktemp("open") / "log", auth="open") as process:
        yield process


@pytest.fixture(scope="module")
def client(gateway: GatewayProcess) -> Iterator[httpx2.Client]:
    """HTTP client of that gateway."""
    with httpx2.Client(base_url=gateway.url, timeout=10) as http:
        yield http


@pytest.fixture(scope="module")
def guarded(null_triton: TritonProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway that needs credentials, so that the page has to fetch its token."""
    log = tmp_path_factory.mktemp("guarded") / "log"
    with running_gateway(null_triton.grpc_url, log, auth="required", page_rate_limit="6/minute") as process:
        yield process


@pytest.fixture(scope="module")
def explaining(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway on a release that says where it saw a class, what it refuses, its crop and how good it is."""
    repository = tmp_path_factory.mktemp("explaining_page")
    write_null_model(repository)
    metrics = {"test_photos": 2139, "accuracy_micro": 0.89, "f1_macro": 0.81}
    name = write_ensemble(repository, 4, **EXPLAINED, crop={"en": "cassava", "sw": "muhogo"}, metrics=metrics)
    triton = TritonProcess(repository, free_ports(3), load=(name,))
    triton.start()
    try:
        with running_gateway(triton.grpc_url, tmp_path_factory.mktemp("explaining") / "log") as process:
            yield process
    finally:
        triton.stop()


@pytest.fixture(scope="module")
def shoot() -> Shoot:
    """Look at a state: take a screenshot, and ask axe-core and the width of the screen for faults."""

    def look(page: Page, name: str) -> None:
        if folder := os.environ.get("PAGE_SCREENSHOTS"):
            page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
        assert accessibility_faults(page) == [], name
        assert not overflows(page), name

    return look


def leaf(order: str = "", name: str = "leaf.jpg", width: int = 800, height: int = 600) -> dict[str, Any]:
    """A photo for a file input; `order` tells the null model what to answer."""
    rng = np.random.default_rng(7)
    noise = Image.fromarray(rng.integers(0, 255, (height // 8, width // 8, 3), dtype=np.uint8)).resize((width, height))
    comment = f"null-model:{order};".encode() if order else b""
    data = encode(Image.blend(picture(width, height), noise, 0.3), quality=80, comment=comment)
    return {"name": name, "mimeType": "image/jpeg", "buffer": data}


def choose(page: Page, *photos: dict[str, Any]) -> None:
    """Choose photos and wait until they are ready."""
    expect(page.locator("#start")).to_be_visible()
    page.locator("#choose input").set_input_files(list(photos))
    page.wait_for_selector("#diagnose:enabled")


def diagnose(page: Page, *photos: dict[str, Any]) -> dict[str, Any]:
    """Choose photos, have them diagnosed; the gateway's reply."""
    choose(page, *photos)
    route = "**/v1/diagnoses*" if len(photos) > 1 else "**/v1/predict*"
    with page.expect_response(route) as answered:
        page.click("#diagnose")
    expect(page.locator("#result")).to_be_visible()
    reply: dict[str, Any] = answered.value.json()
    return reply


def say(page: Page, verdict: str) -> None:
    """Choose what one thinks of the answer."""
    page.locator(".answers label", has=page.locator(f"[value={verdict}]")).click()


def focused(page: Page) -> str:
    """Id of the element that has the focus."""
    return str(page.evaluate("document.activeElement.id"))


@pytest.mark.parametrize(
    "screen",
    ["dark", "desktop", pytest.param("phone", marks=pytest.mark.long), pytest.param("small", marks=pytest.mark.long)],
)
def test_from_a_photo_to_a_diagnosis_to_feedback(
    browser: Browser, gateway: GatewayProcess, client: httpx2.Client, shoot: Shoot, screen: str
) -> None:
    with opened(browser, gateway.url, **SCREENS[screen]) as page:
        expect(page.locator("#classes li")).to_have_count(5)
        shoot(page, f"{screen}-1-start")
        choose(page, leaf())
        shoot(page, f"{screen}-2-chosen")
        with page.expect_response("**/v1/predict?explain=true") as answered:
            page.click("#diagnose")
        prediction_id = answered.value.json()["prediction_id"]

        expect(page.locator("#decision")).to_have_text("Likely")
        expect(page.locator("#result-heading")).to_have_text("Cassava Bacterial Blight")
        expect(page.locator("#confidence")).to_have_text("Confidence 91%")
        expect(page.locator("#bars li").first).to_have_text("Cassava Bacterial Blight91%")
        expect(page.locator("#advice-text")).to_have_text("Ask the extension service.")
        expect(page.locator("#facts")).to_contain_text("Release 1.")
        assert focused(page) == "result-heading"
        shoot(page, f"{screen}-3-result")

        say(page, "wrong")
        page.select_option("#which-class", label="Cassava Green Mottle")
        page.check("#keep-photo")
        shoot(page, f"{screen}-4-feedback")
        page.click("#feedback [type=submit]")
        expect(page.locator("#feedback-status")).to_contain_text("Your photos are kept.")
        shoot(page, f"{screen}-5-thanks")
        said = [item for item in all_feedback(client) if item["prediction_id"] == prediction_id]
        assert [(item["verdict"], item["class_key"], item["photo_kept"]) for item in said] == [("wrong", "cgm", True)]

        page.click("#delete")
        page.screenshot()
        assert accessibility_faults(page) == []
        page.click("#confirm .danger")
        expect(page.locator("#chosen-note")).to_contain_text("Deleted.")
        assert client.get(f"/v1/predictions/{prediction_id}").status_code == 404
        expect(page.locator("#previews li")).to_have_count(0)


def all_feedback(client: httpx2.Client) -> list[dict[str, Any]]:
    """What experts are shown."""
    items: list[dict[str, Any]] = client.get("/v1/feedback", params={"limit": 100}).json()["items"]
    return items


@pytest.mark.parametrize("screen", ["phone", pytest.param("desktop", marks=pytest.mark.long)])
def test_several_photos_of_one_plant(
    browser: Browser, gateway: GatewayProcess, client: httpx2.Client, shoot: Shoot, screen: str
) -> None:
    broken = leaf(name="broken.jpg")
    broken["buffer"] = broken["buffer"][:5000]
    with opened(browser, gateway.url, **SCREENS[screen]) as page:
        reply = diagnose(page, leaf(name="1.jpg"), broken, leaf(UNSURE, name="3.jpg"))
        expect(page.locator("#confidence")).to_contain_text("Answer from 2 of 3 photos")
        expect(page.locator("#hints")).to_contain_text("Photo 2 was not used: The photo is damaged.")
        page.locator("#thumbnails button").nth(2).click()
        expect(page.locator("#photo-caption")).to_have_text("Photo 3: Cassava Mosaic Disease, 45%")
        shoot(page, f"{screen}-6-several")

        say(page, "correct")
        page.click("#feedback [type=submit]")
        expect(page.locator("#feedback-status")).to_have_text("Thank you. It helps to make the check better.")
        ids = {each["prediction"]["prediction_id"] for each in reply["photos"] if "prediction" in each}
        said = [item for item in all_feedback(client) if item["prediction_id"] in ids]
        assert [(item["verdict"], item["class_key"]) for item in said] == [("correct", None), ("wrong", "cbb")]
        assert not any(item["photo_kept"] for item in said)

        page.click("#delete")
        page.click("#confirm .danger")
        expect(page.locator("#chosen-note")).to_contain_text("Deleted.")
        assert {client.get(f"/v1/predictions/{each}").status_code for each in ids} == {404}


@pytest.mark.parametrize(
    ("verdict", "named", "settled"),
    [
        ("correct", None, {"cbb": "cbb", "cmd": "cbb"}),
        ("wrong", "cmd", {"cbb": "cmd", "cmd": "cmd"}),
        ("wrong", None, {"cbb": None}),
        ("unsure", None, {"cbb": None, "cmd": None}),
    ],
)
def test_a_word_on_the_whole_answer_never_settles_a_photo_as_another_class(
    browser: Browser,
    gateway: GatewayProcess,
    client: httpx2.Client,
    verdict: str,
    named: str | None,
    settled: dict[str, str | None],
) -> None:
    """Of a plant with CBB in the answer, one photo shows CBB, one CMD and one nothing; by each photo's own class."""
    with opened(browser, gateway.url, **PHONE) as page:
        photos = (leaf(name="1.jpg"), leaf(UNSURE, name="2.jpg"), leaf(NOTHING, name="3.jpg"))
        reply = diagnose(page, *photos)
        assert [each["prediction"]["decision"] for each in reply["photos"]] == ["accepted", "uncertain", "rejected"]
        say(page, verdict)
        if named:
            page.select_option("#which-class", value=named)
        page.click("#feedback [type=submit]")
        expect(page.locator("#feedback-status")).to_contain_text("Thank you.")
    ids = {each["prediction"]["prediction_id"] for each in reply["photos"]}
    said = [item for item in all_feedback(client) if item["prediction_id"] in ids]
    found = {}
    for item in said:
        review = client.post(f"/v1/feedback/{item['feedback_id']}/review", json={"decision": "confirm"})
        found[item["predicted_class_key"]] = review.json().get("confirmed_class_key")
        assert (review.status_code == 200) == (settled[item["predicted_class_key"]] is not None)
    assert (found, len(said)) == (settled, len(settled))


@pytest.mark.parametrize(
    ("order", "decision", "heading", "next_step"),
    [
        (UNSURE, "Not sure", "Perhaps Cassava Mosaic Disease", "Add photos of other leaves"),
        (NOTHING, "Cannot tell", "Nothing that this check knows", "Take a new photo of one leaf."),
    ],
    ids=["uncertain", "rejected"],
)
def test_an_unsure_answer_says_what_to_do(
    browser: Browser, gateway: GatewayProcess, shoot: Shoot, order: str, decision: str, heading: str, next_step: str
) -> None:
    with opened(browser, gateway.url, **PHONE) as page:
        diagnose(page, leaf(order))
        expect(page.locator("#decision")).to_have_text(decision)
        expect(page.locator("#result-heading")).to_have_text(heading)
        expect(page.locator("#next-text")).to_contain_text(next_step)
        expect(page.locator("#advice")).to_be_visible(visible=decision == "Not sure")
        shoot(page, f"phone-7-{decision.lower().replace(' ', '-')}")
        page.click("#more")
        expect(page.locator("#previews li")).to_have_count(1 if decision == "Not sure" else 0)


@pytest.mark.parametrize("screen", ["phone", pytest.param("desktop", marks=pytest.mark.long)])
def test_the_signs_are_marked_on_the_photo_and_can_be_hidden(
    browser: Browser, explaining: GatewayProcess, shoot: Shoot, screen: str
) -> None:
    with opened(browser, explaining.url, **SCREENS[screen]) as page:
        expect(page.locator("#crop")).to_have_text("This check knows cassava only.")
        diagnose(page, leaf("hot=0,3,4", width=600, height=900))
        expect(page.locator("#overlay")).to_be_visible()
        box, photo_box = page.locator("#overlay").bounding_box(), page.locator("#photo").bounding_box()
        assert box == pytest.approx(photo_box, abs=0.5)
        painted = page.evaluate("(({ naturalWidth, naturalHeight }) => [naturalWidth, naturalHeight])(overlay)")
        assert painted[0] / painted[1] == pytest.approx(600 / 900, abs=0.01)
        expect(page.locator("#evidence-note")).to_contain_text("Cassava Bacterial Blight")
        page.click("footer summary")
        expect(page.locator("#about-release")).to_contain_text("it named 89% of 2,139 test photos correctly")
        shoot(page, f"{screen}-14-signs")
        page.locator("#evidence input").uncheck()
        expect(page.locator("#overlay")).to_be_hidden()
        page.click("#again")
        diagnose(page, leaf("outlier=99"))
        expect(page.locator("#decision")).to_have_text("Cannot tell")
        expect(page.locator("#evidence")).to_be_hidden()
        expect(page.locator("#overlay")).to_be_hidden()


def test_the_keyboard_is_enough_and_the_focus_follows(browser: Browser, gateway: GatewayProcess) -> None:
    with opened(browser, gateway.url, **DESKTOP) as page:
        choose(page, leaf(), leaf(name="2.jpg"))
        page.locator("#previews button").first.focus()
        page.keyboard.press("Enter")
        expect(page.locator("#previews li")).to_have_count(1)
        assert page.evaluate("document.activeElement.ariaLabel") == "Remove photo 1"
        page.locator("#diagnose").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#result")).to_be_visible()
        assert focused(page) == "result-heading"
        page.locator("[name=verdict]").first.focus()
        page.keyboard.press("Space")
        page.locator("#feedback [type=submit]").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#feedback-status")).to_contain_text("Thank you.")
        page.locator("#delete").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#confirm")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#confirm")).to_be_hidden()
        assert focused(page) == "delete"


def test_a_large_photo_is_sent_small_upright_and_without_where_it_was_taken(
    browser: Browser, gateway: GatewayProcess, client: httpx2.Client
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: shown 3000 x 4000
    exif[0x010F] = "Maker of the camera"
    photo = leaf(width=4000, height=3000)
    buffer = io.BytesIO()
    Image.open(io.BytesIO(photo["buffer"])).save(buffer, "JPEG", exif=exif)
    with opened(browser, gateway.url, **PHONE) as page:
        choose(page, photo | {"buffer": buffer.getvalue()})
        with page.expect_request("**/v1/predict*") as asked, page.expect_response("**/v1/predict*") as answered:
            page.click("#diagnose")
        record = client.get(f"/v1/predictions/{answered.value.json()['prediction_id']}").json()
        sent = asked.value.post_data_buffer or b""
    assert (record["width"], record["height"]) == (1200, 1600)
    assert record["photo_bytes"] < len(buffer.getvalue()) / 2
    assert b"Maker of the camera" not in sent


def test_what_the_browser_cannot_show_is_sent_as_it_is(browser: Browser, gateway: GatewayProcess) -> None:
    photo = {"name": "leaf.tiff", "mimeType": "image/tiff", "buffer": encode(picture(), "TIFF")}
    with opened(browser, gateway.url, **PHONE) as page:
        choose(page, photo)
        expect(page.locator("#chosen-note")).to_contain_text("This browser cannot show this photo.")
        page.click("#diagnose")
        expect(page.locator("#no-preview")).to_be_visible()
        expect(page.locator("#decision")).to_have_text("Likely")


def test_what_is_no_photo_and_what_is_too_much_is_left_out(browser: Browser, gateway: GatewayProcess) -> None:
    letter = {"name": "letter.txt", "mimeType": "text/plain", "buffer": b"Dear leaf"}
    with opened(browser, gateway.url, **PHONE) as page:
        choose(page, letter, *(leaf(name=f"{number}.jpg", width=160, height=120) for number in range(12)))
        expect(page.locator("#previews li")).to_have_count(10)
        expect(page.locator("#chosen-note")).to_contain_text("letter.txt is not a photo.")
        expect(page.locator("#chosen-note")).to_contain_text("Only 10 photos fit")
        expect(page.locator("#choose input")).to_be_disabled()


def test_photos_chosen_while_others_are_prepared_count_too(browser: Browser, gateway: GatewayProcess) -> None:
    with opened(browser, gateway.url, **PHONE) as page:
        expect(page.locator("#start")).to_be_visible()
        page.evaluate(
            """() => {
                const input = document.querySelector("#choose input");
                for (let round = 0; round < 3; round += 1) {
                    const chosen = new DataTransfer();
                    for (let photo = 0; photo < 6; photo += 1) chosen.items.add(new File(["x"], `${round}${photo}.heic`));
                    input.files = chosen.files;
                    input.dispatchEvent(new Event("change"));
                }
            }"""
        )
        page.wait_for_selector("#diagnose:enabled")
        expect(page.locator("#chosen-note")).to_contain_text("Only 10 photos fit")
        expect(page.locator("#previews li")).to_have_count(10)


def test_photos_that_are_too_heavy_together_are_left_out_before_sending(
    browser: Browser, null_triton: TritonProcess, tmp_path: Path
) -> None:
    heavy = {"mimeType": "image/heic", "buffer": bytes(2**19)}
    with running_gateway(null_triton.grpc_url, tmp_path / "log", group_max_bytes=2**20) as process:  # noqa: SIM117
        with opened(browser, process.url, **PHONE) as page:
            expect(page.locator("#classes li")).to_have_count(5)
            choose(page, *({"name": f"{number}.heic", **heavy} for number in range(3)))
            expect(page.locator("#chosen-note")).to_contain_text(
                "2.heic was left out: together, the photos may have 1 MB."
            )
            expect(page.locator("#previews li")).to_have_count(2)


def test_a_problem_of_the_photo_is_a_sentence_and_no_retry(
    browser: Browser, gateway: GatewayProcess, shoot: Shoot
) -> None:
    with opened(browser, gateway.url, **PHONE) as page:
        choose(page, {"name": "leaf.jpg", "mimeType": "image/jpeg", "buffer": b"GIF89a" + bytes(2000)})
        page.click("#diagnose")
        expect(page.locator("#problem-text")).to_contain_text("cannot read this kind of file")
        expect(page.locator("#retry")).to_be_hidden()
        assert focused(page) == "problem-heading"
        shoot(page, "phone-8-problem")
        page.click("#previews button")
        diagnose(page, leaf())
        expect(page.locator("#decision")).to_have_text("Likely")


def test_more_than_its_share_waits_as_long_as_the_gateway_says(
    browser: Browser, guarded: GatewayProcess, shoot: Shoot
) -> None:
    with opened(browser, guarded.url, **PHONE) as page:
        tokens: list[str] = []
        page.on("request", lambda request: tokens.append(request.headers.get("authorization", "")))
        diagnose(page, leaf())
        assert any(token.startswith("Bearer page_") for token in tokens)
        page.click("#again")
        choose(page, *(leaf(name=f"{number}.jpg") for number in range(6)))
        page.click("#diagnose")
        expect(page.locator("#problem-text")).to_contain_text("You have asked very often.")
        expect(page.locator("#retry")).to_be_disabled()
        shoot(page, "phone-9-limit")


def test_a_token_that_is_refused_is_fetched_anew_once(browser: Browser, guarded: GatewayProcess) -> None:
    asked: list[int] = []

    def stale_at_first(route: Route) -> None:
        asked.append(1)
        if len(asked) == 1:
            route.fulfill(json={"token": "page_" + "A" * 64, "expires_in": 600})
        else:
            route.continue_()

    with opened(browser, "about:blank", **PHONE) as page:
        page.route("**/page/token", stale_at_first)
        page.goto(guarded.url)
        expect(page.locator("#start")).to_be_visible()
        choose(page, leaf())
        page.click("#diagnose")
        expect(page.locator("#decision")).to_have_text("Likely")
    assert len(asked) == 2


def test_the_token_is_given_without_tls_too(browser: Browser, guarded: GatewayProcess) -> None:
    with opened(browser, guarded.url.replace("127.0.0.1", "leaf.test"), **PHONE) as page:
        assert page.evaluate("isSecureContext") is False
        with page.expect_request("**/v1/predict*") as asked:
            diagnose(page, leaf())
        assert "sec-fetch-site" not in asked.value.all_headers()
        expect(page.locator("#decision")).to_have_text("Likely")


def test_a_busy_gateway_is_asked_again_without_a_tap(browser: Browser, gateway: GatewayProcess) -> None:
    refused: list[int] = []

    def busy_at_first(route: Route) -> None:
        if refused:
            route.continue_()
            return
        refused.append(1)
        body = {"type": "/problems/overloaded", "title": "Busy", "status": 503, "detail": "Busy.", "request_id": "1"}
        route.fulfill(status=503, json=body, headers={"Retry-After": "1"}, content_type="application/problem+json")

    with opened(browser, gateway.url, **PHONE) as page:
        page.route("**/v1/predict*", busy_at_first)
        choose(page, leaf())
        page.click("#diagnose")
        expect(page.locator("#sending-heading")).to_contain_text("Next try in 1 s.")
        expect(page.locator("#decision")).to_have_text("Likely")


def test_without_a_connection_the_photos_stay_and_a_retry_brings_the_answer(
    browser: Browser, gateway: GatewayProcess, shoot: Shoot
) -> None:
    with opened(browser, gateway.url, **PHONE) as page:
        choose(page, leaf())
        page.context.set_offline(True)
        expect(page.locator("#offline")).to_contain_text("You are offline.")
        page.click("#diagnose")
        expect(page.locator("#problem-text")).to_contain_text("There is no connection.")
        expect(page.locator("#previews li")).to_have_count(1)
        shoot(page, "phone-10-offline")
        page.context.set_offline(False)
        expect(page.locator("#offline")).to_be_empty()
        page.click("#retry")
        expect(page.locator("#decision")).to_have_text("Likely")


def test_a_cancelled_upload_keeps_the_photo(browser: Browser, gateway: GatewayProcess, shoot: Shoot) -> None:
    with opened(browser, gateway.url, **PHONE) as page:
        choose(page, leaf("sleep=3"))
        page.click("#diagnose")
        expect(page.locator("#sending-heading")).to_have_text("Looking at the leaf…")
        shoot(page, "phone-11-sending")
        page.click("#cancel")
        expect(page.locator("#previews li")).to_have_count(1)
        expect(page.locator("#problem")).to_be_hidden()


def test_smaller_photos_are_offered_where_the_upload_took_too_long(
    browser: Browser, gateway: GatewayProcess, client: httpx2.Client
) -> None:
    def too_slow(route: Route) -> None:
        body = {
            "type": "/problems/receive-timeout",
            "title": "Slow",
            "status": 408,
            "detail": "Slow.",
            "request_id": "1",
        }
        route.fulfill(status=408, json=body, content_type="application/problem+json")

    with opened(browser, gateway.url, **PHONE) as page:
        page.route("**/v1/predict*", too_slow, times=1)
        choose(page, leaf(width=2400, height=1800))
        page.click("#diagnose")
        expect(page.locator("#problem-text")).to_contain_text("Sending took too long.")
        with page.expect_response("**/v1/predict*") as answered:
            page.click("#retry-small")
        record = client.get(f"/v1/predictions/{answered.value.json()['prediction_id']}").json()
    assert (record["width"], record["height"]) == (1024, 768)


def test_the_browsers_language_is_spoken_and_another_one_is_remembered(
    browser: Browser, gateway: GatewayProcess, shoot: Shoot
) -> None:
    with opened(browser, gateway.url, locale="sw-KE", **{**PHONE}) as page:
        expect(page.locator("html")).to_have_attribute("lang", "sw")
        expect(page.locator("#unreviewed")).to_be_visible()
        diagnose(page, leaf())
        expect(page.locator("#result-heading")).to_have_text("Baka Bakteria ya Muhogo")
        shoot(page, "phone-12-swahili")
        page.select_option("#language", "fr")  # which the release does not speak
        expect(page.locator("#decision")).to_have_text("Probable")
        expect(page.locator("#result-heading span")).to_have_attribute("lang", "en")
        expect(page.locator("#result-heading")).to_have_text("Cassava Bacterial Blight")
        expect(page.locator("#advice-language")).to_be_visible()
        shoot(page, "phone-13-french")
        page.reload()
        expect(page.locator("html")).to_have_attribute("lang", "fr")


@pytest.mark.parametrize(
    "language", ["fr", "yo", *(pytest.param(each, marks=pytest.mark.long) for each in ("pt", "sw", "ha"))]
)
def test_every_language_fits_a_small_phone(
    browser: Browser, gateway: GatewayProcess, shoot: Shoot, language: str
) -> None:
    with opened(browser, gateway.url, **(SMALL_PHONE | {"locale": language})) as page:
        shoot(page, f"small-{language}-start")
        diagnose(page, leaf(UNSURE))
        say(page, "wrong")
        shoot(page, f"small-{language}-result")


def test_switched_off_there_is_neither_page_nor_token(null_triton: TritonProcess, tmp_path: Path) -> None:
    with running_gateway(null_triton.grpc_url, tmp_path / "log", page="false", auth="required") as process:
        for address in ("/", "/page/token"):
            reply = httpx2.get(process.url + address, timeout=10)
            assert (reply.status_code, reply.json()["type"]) == (404, "/problems/not-found")


def test_every_problem_has_words(browser: Browser, gateway: GatewayProcess) -> None:
    with opened(browser, gateway.url) as page:
        expect(page.locator("#start")).to_be_visible()
        script = page.get_attribute("script[type=module]", "src") or ""
        for problem in known_problems():
            words, is_fault = page.evaluate(
                """async ([address, type, status]) => {
                    const { Failure } = await import(new URL(address, document.baseURI));
                    const failure = Failure.from(status, { type }, 0);
                    return [failure.words, failure.kind === "service"];
                }""",
                [script.replace("main.js", "failures.js"), problem.type, problem.status],
            )
            assert not words.startswith("problem_"), problem
            expected_fault = problem.status in (500, 502) or problem.type in A_DEFECT_OR_NOT_FOR_PEOPLE
            assert is_fault == expected_fault, problem


def known_problems() -> list[type[Problem]]:
    """Every problem that can be answered."""
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Problem)]
    return [each for each in classes if "type" in vars(each)]


def test_the_page_is_light_on_the_wire(browser: Browser, gateway: GatewayProcess) -> None:
    with opened(browser, "about:blank", **PHONE) as page:
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        transferred: list[int] = []
        session.on("Network.loadingFinished", lambda event: transferred.append(int(event["encodedDataLength"])))
        page.goto(gateway.url)
        expect(page.locator("#classes li")).to_have_count(5)
    assert len(transferred) > 8
    assert sum(transferred) < MOST_TRANSFERRED_BYTES
