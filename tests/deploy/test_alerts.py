"""Rules and alerts as Prometheus's own promtool judges them: each fires when it should and is silent when it should be."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from alert_cases import CASES, Case, Series
from alerting import CONFIGURATION, running_alertmanager, write_configuration
from processes import ROOT, wait_until

FOLDER = ROOT / "deploy" / "prometheus"
PROMTOOL = shutil.which("promtool")
ALERTS = {
    rule["alert"]: rule
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
}

AMTOOL = shutil.which("amtool")

needs_amtool = pytest.mark.skipif(AMTOOL is None, reason="amtool is not here: make system-test")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not here: make system-test")


def promtool(*arguments: object) -> str:
    """Run it; what it says where it finds fault."""
    ended = subprocess.run([PROMTOOL, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    return "" if ended.returncode == 0 else ended.stdout + ended.stderr


def expected(case: Case) -> dict[str, Any]:
    """The alert as promtool is to see it; what says nothing of the case is as it stands in the file."""
    rule = ALERTS[case.alert]
    return {
        "exp_labels": {**case.labels, **rule["labels"]},
        "exp_annotations": {**rule["annotations"], "summary": case.summary},
    }


def one(case: Case, series: Series, alerts: list[dict[str, Any]]) -> dict[str, Any]:
    """A test of promtool's."""
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [{"eval_time": f"{case.at}m", "alertname": case.alert, "exp_alerts": alerts}],
    }


@needs_promtool
def test_rules_and_configurations_are_valid(tmp_path: Path) -> None:
    assert promtool("check", "rules", FOLDER / "rules.yml", FOLDER / "alerts.yml") == ""
    assert promtool("check", "config", "--syntax-only", FOLDER / "prometheus.yml") == ""
    in_a_cluster = yaml.safe_load((FOLDER / "kubernetes.yml").read_text(encoding="utf-8"))
    # Debian builds Prometheus without the discovery of Kubernetes: all but that is judged.
    assert in_a_cluster["scrape_configs"][0].pop("kubernetes_sd_configs") == [{"role": "pod"}]
    (tmp_path / "kubernetes.yml").write_text(yaml.safe_dump(in_a_cluster))
    assert promtool("check", "config", "--syntax-only", tmp_path / "kubernetes.yml") == ""


def test_every_alert_is_tried() -> None:
    assert [case.alert for case in CASES] == list(ALERTS)


@needs_promtool
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_an_alert_fires_and_is_silent(case: Case, tmp_path: Path) -> None:
    tests = [one(case, case.loud, [expected(case)])]
    if case.quiet:
        tests.append(one(case, case.quiet, []))
    files = [str(FOLDER / name) for name in ("rules.yml", "alerts.yml")]
    tried = tmp_path / "tests.yml"
    tried.write_text(yaml.safe_dump({"rule_files": files, "evaluation_interval": "1m", "tests": tests}))
    assert promtool("test", "rules", tried) == ""


@needs_amtool
def test_each_alert_reaches_who_is_meant(tmp_path: Path) -> None:
    alertmanager_file = write_configuration(tmp_path, "http://127.0.0.1:9/%s")
    checked = subprocess.run(
        [AMTOOL, "check-config", alertmanager_file], capture_output=True, text=True, timeout=20, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    for name, rule in ALERTS.items():
        command = [AMTOOL, "config", "routes", "test", f"--config.file={alertmanager_file}"]
        labels = [f"alertname={name}", f"severity={rule['labels']['severity']}"]
        routed = subprocess.run(
            [*command, *labels], capture_output=True, text=True, timeout=20, check=True
        ).stdout.strip()
        assert routed == ("watchdog" if name == "Watchdog" else rule["labels"]["severity"]), name


@needs_amtool
def test_one_cause_is_one_call(tmp_path: Path) -> None:
    def labels(name: str) -> dict[str, str]:
        return {"alertname": name, **ALERTS[name]["labels"]}

    with running_alertmanager(tmp_path) as alerting:
        alerting.fire(labels("TritonDown"), labels("RecordsWaiting"))
        wait_until(lambda: alerting.heard("page") == {"TritonDown"}, 10, "the cause is told")
        alerting.fire(labels("TritonDown"), labels("ErrorBudgetBurnsFast"), labels("QueueRejects"), labels("BotSlow"))
        wait_until(lambda: len(alerting.held_back()) == 3, 10, "what follows is held back")
        wait_until(lambda: alerting.heard("ticket") == {"RecordsWaiting"}, 10, "what has another cause is not")
        assert alerting.held_back() == {"ErrorBudgetBurnsFast", "QueueRejects", "BotSlow"}
        assert alerting.heard("page") == {"TritonDown"}


def test_only_alerts_that_exist_are_held_back() -> None:
    for rule in yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            names = re.fullmatch(r'alertname=~?"(.*)"', matcher)
            assert names, matcher
            for pattern in names[1].split("|"):
                assert any(re.fullmatch(pattern, name) for name in ALERTS), pattern


def test_every_alert_says_who_is_woken_and_what_to_do() -> None:
    page = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    anchors = {heading.lower() for heading in re.findall(r"^### (\w+)", page, re.MULTILINE)}
    for name, rule in ALERTS.items():
        assert rule["labels"]["severity"] in ("page", "ticket", "none"), name
        assert set(rule["annotations"]) == {"summary", "description", "runbook"}, name
        assert rule["annotations"]["runbook"] == f"docs/alerts.md#{name.lower()}"
        assert name.lower() in anchors, f"{name} has no runbook"
    assert anchors == {name.lower() for name in ALERTS}
