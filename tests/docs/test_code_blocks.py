"""Every code block of README and docs is run, or read by the program that it is for; commands in the text too."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from command_lines import check
from markdown import Block, Command, blocks, commands, spans
from null_repository import write_ensemble, write_null_model
from photos import photo
from processes import ROOT, GatewayProcess, TritonProcess, free_ports, running_gateway

PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "bot/texts/README.md",
    ROOT / "demo/MODEL_CARD.md",
]
BLOCKS = blocks(ROOT, PAGES)
SHELL = [block for block in BLOCKS if block.language == "sh"]
DATA = {"json": json.loads, "yaml": yaml.safe_load, "python": ast.parse}
PICTURES = ("", "text")
"""Drawings and conversations: nothing to run; conversations are played by tests/bot."""


def test_every_block_says_what_it_is() -> None:
    assert {block.name: block.language for block in BLOCKS if block.language not in ("sh", *DATA, *PICTURES)} == {}
    said = [block.name for block in BLOCKS if block.language == "" and not re.search("[─│▶▼├└]|──|<", block.text)]
    assert said == [], "a block without a language that is no drawing"


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language in DATA], ids=lambda block: block.name)
def test_data_is_valid(block: Block) -> None:
    assert DATA[block.language](block.text) is not None


@pytest.mark.parametrize("block", SHELL, ids=lambda block: block.name)
def test_a_shell_can_read_it(block: Block) -> None:
    read = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, timeout=20, check=False)
    assert (read.returncode, read.stderr) == (0, "")


@pytest.mark.parametrize("block", SHELL, ids=lambda block: block.name)
def test_its_programs_understand_it(block: Block) -> None:
    found = {" ".join(command.words): check(command) for command in commands(block.name, block.text)}
    assert {line: fault for line, fault in found.items() if fault} == {}


def test_commands_in_the_text_are_understood() -> None:
    found = {f"{command.where} {' '.join(command.words)}": check(command) for command in spans(ROOT, PAGES)}
    assert len(found) > 30
    assert {line: fault for line, fault in found.items() if fault} == {}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("make sandwiches", "no target sandwiches"),
        ("make demo SAUCE=1", "make knows no SAUCE"),
        ("make train DATA=photos", "say which recipe"),
        ("python -m gateway release promot 8", "no command promot"),
        ("python -m gateway release promote eight", "valid integer"),
        ("python -m training fit --reset demo_cnn", "does not know --reset"),
        ("python -m gateway keys create --nam bot", "--nam"),
        ("python -m deploy.capacity --photos 50 --megapixel 3", "invalid choice"),
        ("python -m deploy.capacity --pictures 3", "does not know --pictures"),
        ("python -m deploy.nothing", "no module deploy.nothing"),
        ("export GATEWAY_PROT=80", "GATEWAY_PROT is no setting"),
        ("docker compose --profile gqu up", "no profile gqu"),
        ("docker compose logs gatevay", "no service gatevay"),
        ("helm install leaf deploy/chart --set secrets=x", "no value secrets=x"),
        ("kubectl exec deploy/leaf-tools -- python -m gateway purg", "no command purg"),
        ("frobnicate now", "this test knows nothing of it"),
    ],
)
def test_mistakes_are_found(line: str, said: str) -> None:
    (command,) = commands("here", line)
    assert said in check(command)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A real gateway before a real Triton with a null model."""
    folder = tmp_path_factory.mktemp("asked")
    repository = folder / "repository"
    repository.mkdir()
    write_null_model(repository)
    triton = TritonProcess(repository, free_ports(3), load=(write_ensemble(repository, 1),))
    triton.start()
    try:
        with running_gateway(triton.grpc_url, folder / "log") as running:
            yield running
    finally:
        triton.stop()


def asked() -> list[Command]:
    """Every call of curl in the pages."""
    return [one for block in SHELL for one in commands(block.name, block.text) if one.words[:1] == ("curl",)]


def test_every_call_of_curl_is_answered(gateway: GatewayProcess, tmp_path: Path) -> None:
    for name in ("leaf.jpg", "a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(photo())
    assert len(asked()) >= 6
    for command in asked():
        words = [word.replace("http://127.0.0.1:8080", gateway.url) for word in command.words[1:]]
        assert words != list(command.words[1:]), command
        called = subprocess.run(
            ["curl", "--silent", "--fail-with-body", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert called.returncode == 0, (command, called.stdout)
        assert "release" in called.stdout


def test_the_texts_page_can_be_followed(tmp_path: Path) -> None:
    """bot/texts/README.md, in a copy: nothing is lost from the translations."""
    shutil.copytree(ROOT / "bot", tmp_path / "bot")
    before = sorted((tmp_path / "bot/texts/locales").rglob("*.po"))
    (block,) = [block for block in SHELL if block.page == "bot/texts/README.md"]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    ended = subprocess.run(
        ["bash", "-eu"], input=block.text, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    for file in before:
        assert "#~ msgid" not in file.read_text(encoding="utf-8"), file.name


def test_links_lead_somewhere() -> None:
    lost = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
            if not (page.parent / target).exists():
                lost.append(f"{page.relative_to(ROOT)} -> {target}")
        for target, anchor in re.findall(r"\]\(([^)#:\s]*)#([^)]+)\)", text):
            there = (page.parent / target if target else page).read_text(encoding="utf-8")
            headings = {_anchor(heading) for heading in re.findall(r"^#+ (.*)$", there, re.MULTILINE)}
            if anchor not in headings:
                lost.append(f"{page.relative_to(ROOT)} -> {target}#{anchor}")
    assert lost == []


def _anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
