"""docker-compose.yml as a client reads it: who runs, who may be reached, what stops it."""

import re
from typing import Any

import pytest

from deploy.first_env import ROOT, SECRETS
from deploy.linting.compose import EXAMPLE, PROFILES, ComposeError, configuration

ALL = ("gpu", "cpu", "bot", "observe", "track")
INTERNAL = {"serving", "data", "observing"}


@pytest.fixture(scope="module")
def everything() -> dict[str, dict[str, Any]]:
    """Every service, whatever its profile."""
    return dict(configuration(ALL)["services"])


def test_each_service_belongs_to_its_profile(everything: dict[str, dict[str, Any]]) -> None:
    belongs = {name: " ".join(service.get("profiles", [])) for name, service in everything.items()}
    assert belongs == {
        **dict.fromkeys(("gateway", "keys", "postgres"), ""),
        **dict.fromkeys(("triton", "plans"), "gpu"),
        "triton-cpu": "cpu",
        "bot": "bot",
        **dict.fromkeys(("prometheus", "alertmanager", "grafana", "otel-collector"), "observe"),
        "mlflow": "track",
    }
    assert {profile for profiles in PROFILES for profile in profiles} == set(ALL)


@pytest.mark.parametrize("name", ["GATEWAY_SECRET", "MODEL_REPOSITORY"])
def test_what_is_not_set_stops_it_with_a_sentence(name: str) -> None:
    with pytest.raises(
        ComposeError, match=rf"required variable {name} is missing a value: is not set; run 'make env' once"
    ):
        configuration(("cpu",), {key: value for key, value in EXAMPLE.items() if key != name})


def test_no_secret_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    for name in (*SECRETS, "MODEL_REPOSITORY"):
        # whichever of its places is read first says what to do
        assert set(re.findall(rf"\$\{{{name}([^}}]*)\}}", text)) == {":?is not set; run 'make env' once"}, name


def test_only_the_gateway_is_reachable_from_elsewhere(everything: dict[str, dict[str, Any]]) -> None:
    ports = {name: service["ports"] for name, service in everything.items() if "ports" in service}
    published = {
        name: [(port["host_ip"], port["published"], port["target"]) for port in listed]
        for name, listed in ports.items()
    }
    assert published.pop("gateway") == [("0.0.0.0", "8080", 8080)]
    assert published == {"mlflow": [("127.0.0.1", "5000", 5000)], "grafana": [("127.0.0.1", "3000", 3000)]}


def test_triton_and_the_database_have_no_way_out(everything: dict[str, dict[str, Any]]) -> None:
    networks = configuration(ALL)["networks"]
    assert {name for name, network in networks.items() if (network or {}).get("internal")} == INTERNAL
    for name in ("triton", "triton-cpu", "postgres", "keys", "prometheus"):
        assert set(everything[name]["networks"]) <= INTERNAL, name
    assert everything["plans"]["network_mode"] == "none"


def test_every_service_is_confined(everything: dict[str, dict[str, Any]]) -> None:
    for name, service in everything.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["logging"], name


def test_triton_may_not_write_releases_and_gets_time_to_end(everything: dict[str, dict[str, Any]]) -> None:
    for name in ("triton", "triton-cpu"):
        (models,) = [one for one in everything[name]["volumes"] if one["target"] == "/models"]
        assert (models["source"], models["read_only"]) == ("./build/served", True)
        assert everything[name]["stop_grace_period"] == "45s"


def test_one_tag_moves_triton_and_tensorrt_together() -> None:
    services = configuration(("gpu",), EXAMPLE | {"TRITON_TAG": "26.11", "TRITON_DIGEST": "@sha256:abc"})["services"]
    assert services["triton"]["image"] == "nvcr.io/nvidia/tritonserver:26.11-py3@sha256:abc"
    assert services["plans"]["build"]["args"]["TRITON_TAG"] == "26.11"


def test_every_place_names_the_same_tag() -> None:
    """The set that moves together has one tag; `export/engines.py` names it in its messages."""
    tag = dict(re.findall(r"^(TRITON_TAG)=(\S+)$", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))[
        "TRITON_TAG"
    ]
    places = [ROOT / "docker-compose.yml", ROOT / "export" / "engines.py", *(ROOT / "deploy" / "images").iterdir()]
    places += [*(ROOT / "deploy" / "chart").rglob("*.yaml"), *(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
    pattern = re.compile(r"(?:TRITON_TAG(?::-|=|: \"?)|(?:tritonserver|tensorrt):)(\d\d\.\d\d)")
    named = {str(file.relative_to(ROOT)): set(pattern.findall(file.read_text(encoding="utf-8"))) for file in places}
    assert named["docker-compose.yml"] == named["export/engines.py"] == {tag}
    assert {name: tags for name, tags in named.items() if not tags <= {tag}} == {}
