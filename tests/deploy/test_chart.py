"""The chart as Helm renders it: valid, closed, and told nothing that the programs do not know."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from dockerfiles import read_image
from postgres import running_postgres
from processes import ROOT

from bot.settings import Settings as BotSettings
from deploy.triton import EXIT_TIMEOUT_S
from gateway.settings import Settings as GatewaySettings

CHARTS_PYTHON = Path(os.environ.get("CHARTS_PYTHON", Path(sys.prefix).parent / "charts" / "bin" / "python"))
CHART = ROOT / "deploy" / "chart"
VALUES = sorted((CHART / "ci").glob("*.yaml"))
Object = dict[str, Any]

pytestmark = pytest.mark.skipif(not CHARTS_PYTHON.exists(), reason="Helm is not here: make test")


def check(*arguments: object, values: Object | None = None) -> subprocess.CompletedProcess[str]:
    """Run the checks of the chart."""
    command = [CHARTS_PYTHON, "-m", "deploy.check_chart", *map(str, arguments)]
    told = json.dumps(values) if values is not None else None
    return subprocess.run(command, cwd=ROOT, input=told, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module", params=VALUES, ids=lambda file: file.stem)
def objects(request: pytest.FixtureRequest) -> list[Object]:
    """What is made of a file of values."""
    shown = check("--show", request.param)
    assert shown.returncode == 0, shown.stderr
    return json.loads(shown.stdout)


def find(objects: list[Object], kind: str, name: str) -> Object:
    """One object."""
    (found,) = [made for made in objects if (made["kind"], made["metadata"]["name"]) == (kind, name)]
    return found


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """Name and pod of everything that runs."""
    for made in objects:
        if made["kind"] in ("Deployment", "Job"):
            yield made["metadata"]["name"], made["spec"]["template"]["spec"]


def containers(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """Everything that runs, whatever it is for."""
    for name, pod in pods(objects):
        for one in (*pod.get("initContainers", []), *pod["containers"]):
            yield f"{name}/{one['name']}", one


def told(container: Object) -> dict[str, Any]:
    """A container's environment: values, or where they come from."""
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container.get("env", [])}


def test_helm_and_kubernetes_find_no_fault() -> None:
    checked = check()
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize(
    "mistakes",
    [
        {
            "gateway.yaml": ("maxSurge: 1", "maxSurgge: 1", "maxSurgge"),
            "bot.yaml": ("replicas: 1", "replicas: one", "replicas"),
            "tools.yaml": ("command: [sleep, infinity]", "command: sleep", "command"),
        },
        {
            "triton.yaml": (
                "spec:\n  maxUnavailable: 1",
                "spec:\n  maxUnavailable: 1\n  maxUnavailable: 2",
                "a key twice",
            )
        },
    ],
    ids=["schema", "key twice"],
)
def test_mistakes_in_templates_are_found(mistakes: dict[str, tuple[str, str, str]], tmp_path: Path) -> None:
    shutil.copytree(CHART, tmp_path / "chart")
    for file, (right, wrong, _) in mistakes.items():
        template = tmp_path / "chart" / "templates" / file
        text = template.read_text(encoding="utf-8")
        assert right in text
        template.write_text(text.replace(right, wrong, 1))
    checked = check("--chart", tmp_path / "chart")
    assert checked.returncode == 1
    for _, _, said in mistakes.values():
        assert said in checked.stderr


WHOLE: Object = {"secret": "leaf", "images": {"registry": "r"}, "models": {"claim": "c"}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"secret": ""}, "set `secret` to the name of an existing Secret"),
        ({"images": {}}, "set `images.registry`"),
        ({"models": {}}, "set `models.claim`"),
        ({"models": {"claim": "c", "objectStore": {"path": "p", "secret": "s"}}}, "not both"),
        ({"models": {"objectStore": {"path": "p"}}}, "set `models.objectStore.secret`"),
        ({"gateway": {"ingress": {"enabled": True, "host": "h"}}}, "set `gateway.ingress.tlsSecret`"),
        ({"gateway": {"replica": 3}}, "replica"),
        ({"gateway": {"settings": {"GATEWAYWORKERS": 2}}}, "GATEWAYWORKERS"),
        ({"triton": {"replicas": 0}}, "replicas"),
    ],
)
def test_what_is_missing_or_wrong_is_said(changes: Object, said: str) -> None:
    shown = check("--show", "-", values=WHOLE | changes)
    assert shown.returncode == 1
    assert said in shown.stderr


def test_nothing_secret_is_a_value(objects: list[Object]) -> None:
    assert "Secret" not in {made["kind"] for made in objects}
    seen = set()
    for name, container in containers(objects):
        for variable, value in told(container).items():
            if re.search("SECRET|TOKEN|SALT|_KEY$|DATABASE_URL|REDIS_URL", variable):
                assert value["secretKeyRef"]["name"] == "leaf", f"{name}: {variable}"
                seen.add(value["secretKeyRef"]["key"])
    page = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    assert {key for key in seen if f"`{key}`" not in page} == set()


def test_settings_are_those_of_the_programs(objects: list[Object]) -> None:
    known = {f"GATEWAY_{name.upper()}" for name in GatewaySettings.model_fields}
    known |= {f"BOT_{name.upper()}" for name in BotSettings.model_fields}
    for name, container in containers(objects):
        ours = {variable for variable in told(container) if variable.startswith(("GATEWAY_", "BOT_"))}
        assert ours <= known, name


def test_a_users_setting_wins() -> None:
    shown = check("--show", "-", values=WHOLE | {"gateway": {"settings": {"GATEWAY_WORKERS": 7}}})
    (container,) = find(json.loads(shown.stdout), "Deployment", "leaf-gateway")["spec"]["template"]["spec"][
        "containers"
    ]
    assert told(container)["GATEWAY_WORKERS"] == "7"


def image_of(container: Object) -> str:
    """The image whose files a container sees: Triton's stock one gets those of leaf-plans laid beside it."""
    name = container["image"].rpartition("/")[2].partition(":")[0]
    return "plans" if name == "tritonserver" else name.removeprefix("leaf-")


def test_images_hold_what_is_run_in_them(objects: list[Object], tmp_path: Path) -> None:
    wanted: dict[str, set[str]] = {}
    for _, container in containers(objects):
        probes = [
            probe["exec"]["command"] for key, probe in container.items() if key.endswith("Probe") and "exec" in probe
        ]
        lines = [container.get("command", []), *probes]
        wanted.setdefault(image_of(container), set()).update(line[2] for line in lines if line[1:2] == ["-m"])
    assert wanted["plans"] == {"deploy.triton", "deploy.probe", "deploy.plans"}
    assert wanted["gateway"] == {"deploy.health", "gateway"}
    for name in wanted.keys() & {"plans", "gateway", "bot"}:
        image = read_image("exporter", "plans") if name == "plans" else read_image(name)
        image.lay_out(tmp_path / name)
        imports = "; ".join(f"import {module}{'' if '.' in module else '.__main__'}" for module in sorted(wanted[name]))
        tried = subprocess.run(
            [sys.executable, "-c", imports or "pass"],
            cwd=tmp_path / name / image.workdir.lstrip("/"),
            env={"PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert tried.returncode == 0, tried.stderr


def test_everything_is_confined(objects: list[Object]) -> None:
    for name, pod in pods(objects):
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for name, container in containers(objects):
        rights = container["securityContext"]
        assert rights["readOnlyRootFilesystem"] and not rights["allowPrivilegeEscalation"], name
        assert rights["capabilities"] == {"drop": ["ALL"]}, name
        assert container["resources"]["limits"]["memory"] and container["resources"]["requests"]["cpu"], name


def test_every_pod_has_a_policy_and_triton_trusts_only_its_own(objects: list[Object]) -> None:
    policies = [made for made in objects if made["kind"] == "NetworkPolicy"]
    closed = find(objects, "NetworkPolicy", "leaf-closed")["spec"]
    assert closed["policyTypes"] == ["Ingress", "Egress"] and "ingress" not in closed and "egress" not in closed
    for made in objects:
        if made["kind"] in ("Deployment", "Job"):
            labels = made["spec"]["template"]["metadata"]["labels"]
            assert closed["podSelector"]["matchLabels"].items() <= labels.items(), made["metadata"]["name"]
    triton = find(policies, "NetworkPolicy", "leaf-triton")["spec"]
    allowed = {
        (
            rule["ports"][0]["port"],
            peer.get("podSelector", {}).get("matchLabels", {}).get("app.kubernetes.io/component"),
        )
        for rule in triton["ingress"]
        for peer in rule["from"]
    }
    assert allowed == {("grpc", "gateway"), ("grpc", "tools"), ("metrics", None)}


def test_without_peers_that_may_read_figures_nobody_reads_them() -> None:
    shown = check("--show", "-", values=WHOLE | {"bot": {"enabled": True}, "networkPolicy": {"monitoring": []}})
    made = json.loads(shown.stdout)
    for name in ("gateway", "triton", "bot"):
        rules = find(made, "NetworkPolicy", f"leaf-{name}")["spec"].get("ingress", [])
        assert [rule for rule in rules if rule["ports"] != [{"port": "http"}] and not rule.get("from")] == [], name
    assert "ingress" not in find(made, "NetworkPolicy", "leaf-bot")["spec"]


def test_triton_starts_with_an_inference_and_is_not_ended_for_being_busy(objects: list[Object]) -> None:
    pod = find(objects, "Deployment", "leaf-triton")["spec"]["template"]["spec"]
    triton, companion = pod["containers"]
    assert triton["startupProbe"]["exec"]["command"] == ["python3", "-m", "deploy.probe", "--repository", "/models"]
    for kind in ("livenessProbe", "readinessProbe"):
        assert triton[kind]["exec"]["command"][-1] == "--alive"
    assert triton["resources"]["limits"]["nvidia.com/gpu"] == "1"
    # gateways have been led elsewhere before it ends, and what it has begun may end too
    notice = int(triton["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > notice + EXIT_TIMEOUT_S
    assert told(companion)["GATEWAY_TRITON_URL"] == "127.0.0.1:8001"
    assert told(companion)["GATEWAY_HOST"] == "127.0.0.1"
    (budget,) = [
        made for made in objects if made["metadata"]["name"] == "leaf-triton" and made["kind"] == "PodDisruptionBudget"
    ]
    assert budget["spec"]["maxUnavailable"] == 1


def test_one_bot_is_active() -> None:
    shown = check("--show", "-", values=WHOLE | {"bot": {"enabled": True}})
    bot = find(json.loads(shown.stdout), "Deployment", "leaf-bot")["spec"]
    assert (bot["replicas"], bot["strategy"]) == (1, {"type": "Recreate"})
    (container,) = bot["template"]["spec"]["containers"]
    assert told(container)["BOT_GATEWAY_URL"] == "http://leaf-gateway:80"


def test_triton_is_scaled_by_a_figure_that_the_adapter_makes() -> None:
    shown = check("--show", VALUES[1])
    scaler = find(json.loads(shown.stdout), "HorizontalPodAutoscaler", "leaf-triton")["spec"]
    (rule,) = yaml.safe_load((ROOT / "deploy/prometheus/adapter.yml").read_text())["rules"]["custom"]
    assert [one["pods"]["metric"]["name"] for one in scaler["metrics"]] == [rule["name"]["as"]]
    deployment = find(json.loads(shown.stdout), "Deployment", "leaf-triton")["spec"]
    assert "replicas" not in deployment, "the autoscaler and the chart would fight over it"


def test_without_a_place_for_photos_none_is_promised(objects: list[Object]) -> None:
    pod = find(objects, "Deployment", "leaf-gateway")["spec"]["template"]["spec"]
    kept = any("persistentVolumeClaim" in volume for volume in pod["volumes"])
    assert (told(pod["containers"][0]).get("GATEWAY_KEEP_PHOTOS") == "never") is not kept


def test_ports_are_those_that_the_images_name(objects: list[Object]) -> None:
    for room in ("gateway", "bot"):
        names = {made["metadata"]["name"] for made in objects if made["kind"] == "Deployment"}
        if f"leaf-{room}" not in names:
            continue
        image = (ROOT / "deploy" / "images" / f"{room}.Dockerfile").read_text(encoding="utf-8")
        exposed = {int(port) for line in re.findall(r"^EXPOSE (.*)$", image, re.MULTILINE) for port in line.split()}
        (container,) = find(objects, "Deployment", f"leaf-{room}")["spec"]["template"]["spec"]["containers"]
        assert {port["containerPort"] for port in container["ports"]} == exposed


def test_the_collector_has_every_part_that_it_names() -> None:
    folder = ROOT / "deploy" / "otel"
    base = yaml.safe_load((folder / "collector.yaml").read_text(encoding="utf-8"))
    more = yaml.safe_load((folder / "forward.yaml").read_text(encoding="utf-8"))
    exporters = base["exporters"] | more["exporters"]
    for told_of, pipelines in ((base, base["service"]["pipelines"]), (more, more["service"]["pipelines"])):
        for pipeline in pipelines.values():
            assert set(pipeline["exporters"]) <= exporters.keys()
            assert set(pipeline.get("receivers", [])) <= base["receivers"].keys(), told_of
            assert set(pipeline.get("processors", [])) <= base["processors"].keys()
    assert set(base["service"]["extensions"]) <= base["extensions"].keys()
    assert base["service"]["pipelines"]["traces"]["processors"][0] == "memory_limiter"


def test_the_migrations_job_brings_postgresql_up_to_date() -> None:
    shown = check("--show", VALUES[0])
    job = find(json.loads(shown.stdout), "Job", "leaf-migrations")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    with running_postgres() as server:
        migrate(container, server.new_database())


def migrate(container: Object, database: str) -> None:
    """Run the job's command on a database that is empty, and again."""
    secret = {"gateway-database-url": database, "gateway-secret": "s" * 32, "triton-control-secret": "t" * 32}
    given = {
        name: secret.get(value["secretKeyRef"]["key"], "") if isinstance(value, dict) else value
        for name, value in told(container).items()
    }
    command = [sys.executable, *container["command"][1:]]
    for _ in range(2):  # the second finds nothing to do
        ended = subprocess.run(
            command, cwd=ROOT, env={"PATH": "", **given}, capture_output=True, text=True, timeout=60, check=False
        )
        assert ended.returncode == 0, ended.stderr
    assert "has this version's schema" in ended.stdout
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM routes").fetchone() == (0,)
