"""Every query of the dashboards, every rule and every alert has data from the running stack, in a real Prometheus."""

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import yaml
from processes import ROOT, wait_until

sys.path.append(str(ROOT / "tests" / "bot"))  # the Bot API server, which the bot's own tests have at hand

from alerting import ALERTMANAGER
from observed import FOLDER, PROMETHEUS, Observed, observed_stack
from transcripts import photographs

from deploy.dashboards.__main__ import texts

pytestmark = pytest.mark.skipif(
    PROMETHEUS is None or ALERTMANAGER is None, reason="Prometheus or Alertmanager is not here: make system-test"
)

LEAF = (ROOT / "demo" / "leaf.jpg").read_bytes()


def rules(name: str) -> list[dict[str, str]]:
    """All of a file's rules."""
    groups = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def always(expression: str) -> str:
    """An alert's expression that says 0 or 1 instead of nothing or something, over data that is seconds old."""
    compared = re.sub(r"(==|>=|>)(?= *[\d.]+(?:\s|$))", r"\1 bool", expression)
    return compared.replace(" offset 1h", "").replace("unless", "or")


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    """A stack that has answered photos in every way and refused some."""
    with observed_stack(tmp_path_factory.mktemp("observed")) as running:
        person = running.messenger.person(80_001)
        wait_until(lambda: bool(running.query("bot_updates_total")), 20, "a first look at the bot")
        for _ in range(2):  # a rate needs two looks at the same counter
            ask(running.stack.url)
            message = person.sends_photo(LEAF)
            person.waits_for_reply(message, "", 30)
        yield running


def ask(url: str) -> None:
    """A photo, a batch, a plant, and something that is no photo."""
    with httpx2.Client(base_url=url, timeout=30, trust_env=False) as http:
        files = [("file", ("leaf.jpg", LEAF)), ("file", ("other.jpg", photographs.no_leaf()))]
        assert http.post("/v1/predict", content=LEAF).status_code == 200
        assert http.post("/v1/predict:batch", files=files).status_code == 200
        assert http.post("/v1/diagnoses", files=files).status_code == 200
        assert http.post("/v1/predict", content=b"no photo").status_code == 415


def without_data(observed: Observed, expressions: dict[str, str]) -> list[str]:
    """Names of those that have no number to show."""
    return [name for name, text in expressions.items() if not any(value == value for value in observed.query(text))]


def have_data(observed: Observed, expressions: dict[str, str]) -> None:
    """Wait for all of them, and name those that stay empty."""
    left: list[str] = list(expressions)

    def all_there() -> bool:
        nonlocal left
        ask(observed.stack.url)
        left = without_data(observed, {name: expressions[name] for name in left})
        return not left

    try:
        wait_until(all_there, 40, "data")
    except AssertionError:
        pytest.fail(f"no data for {left}")


def test_every_dashboard_query_has_data(observed: Observed) -> None:
    have_data(observed, {f"{uid}: {title} {ref}": text for uid, title, ref, text in queries()})


def queries() -> list[tuple[str, str, str, str]]:
    """File, panel, letter and expression of every query, the marks of new releases included."""
    boards = {name: yaml.safe_load(text) for name, text in texts().items()}
    drawn = [
        (name, panel["title"], query["refId"], query["expr"])
        for name, board in boards.items()
        for panel in board["panels"]
        for query in panel["targets"]
    ]
    marks = [
        (name, mark["name"], "", mark["expr"])
        for name, board in boards.items()
        for mark in board["annotations"]["list"]
    ]
    return drawn + marks


def test_every_rule_and_alert_has_data(observed: Observed) -> None:
    recorded = {rule["record"]: rule["record"] for rule in rules("rules.yml")}
    alerts = {rule["alert"]: always(rule["expr"]) for rule in rules("alerts.yml")}
    have_data(observed, recorded | alerts)


def test_the_figure_by_which_triton_is_scaled_has_data(observed: Observed) -> None:
    (rule,) = yaml.safe_load((FOLDER / "adapter.yml").read_text(encoding="utf-8"))["rules"]["custom"]
    query = rule["metricsQuery"].replace("<<.GroupBy>>", "instance").replace("<<.LabelMatchers>>", 'job="triton"')
    have_data(observed, {rule["name"]["as"]: query})


def test_a_healthy_stack_wakes_nobody(observed: Observed) -> None:
    have_data(observed, {"watchdog": 'ALERTS{alertname="Watchdog", alertstate="firing"}'})
    assert observed.query('ALERTS{severity="page"}') == []
    wait_until(lambda: observed.alerting.heard("watchdog") == {"Watchdog"}, 10, "the dead man's switch hears of it")
    assert observed.alerting.heard("page") == set()


def test_all_that_is_exported_is_scraped(observed: Observed) -> None:
    for job in ("gateway", "triton", "bot", "alertmanager"):
        assert observed.query(f'up{{job="{job}"}}') == [1.0]


def test_the_rules_name_no_figure_that_nobody_exports(observed: Observed) -> None:
    reply = httpx2.get(f"{observed.prometheus}/api/v1/label/__name__/values", timeout=10, trust_env=False).json()
    known = set(reply["data"])
    named = {
        name
        for rule in rules("rules.yml") + rules("alerts.yml")
        for name in re.findall(r"\b(?:gateway_|nv_|bot_)\w+", rule["expr"])
    }
    seldom = {"gateway_rate_limited_total", "gateway_shadow_photos_total", "bot_telegram_retries_total"}
    assert named - known - seldom == set()


@pytest.mark.long
def test_a_wedged_ensemble_is_seen(observed: Observed) -> None:
    """The last one: no stand-in backend survives to be stopped for so long."""
    (wedged,) = [rule["expr"] for rule in rules("alerts.yml") if rule["alert"] == "EnsembleWedged"]
    assert observed.query(wedged) == []
    backends = [pid for pid in observed.stack.pids() if "backend_stub" in Path(f"/proc/{pid}/cmdline").read_text()]
    assert backends
    for pid in backends:
        os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: observed.query(wedged) != [], 60, "the alert's condition")
        ready = httpx2.get(f"http://127.0.0.1:{observed.stack.metrics_port}/metrics", timeout=5, trust_env=False)
        assert ready.status_code == 200, "Triton itself is well"
        assert observed.query('min_over_time(up{job="triton"}[30s])') == [1.0]
    finally:
        for pid in backends:
            os.kill(pid, signal.SIGCONT)
