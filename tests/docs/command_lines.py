"""Holds commands against the programs that would read them, without doing what they say."""

import argparse
import re
import runpy
import subprocess
import sys
import warnings
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import pytest
import typer
import yaml
from markdown import Command
from processes import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
_TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
_CLICK = ("gateway", "bot")
"""Modules whose command line is typer's; the others have argparse's, or none."""
_ELSEWHERE = ("modelopt",)
"""Modules that a page tells how to install somewhere else."""
_PLACE = re.compile(r"[A-Z]{1,12}|…|\.\.\.|<.*>")
"""What a reader replaces by something of his own."""


class _ReadError(Exception):
    """The command line was read to its end; nothing of it shall be done."""


def check(command: Command) -> str:
    """What is wrong with a command; empty where its program understands it."""
    if not command.words:
        return "; ".join(filter(None, (_variable(name) for name, _ in command.variables)))
    program, arguments = command.words[0].removeprefix(".venv/dev/bin/"), list(command.words[1:])
    checks: dict[str, Any] = {"make": _make, "docker": _docker, "kubectl": _kubectl, "helm": _helm}
    if program in ("python", "python3"):
        return _python(arguments, command.whole)
    if program == "torchrun":
        return _torchrun(arguments, command.whole)
    if program in checks:
        return str(checks[program](arguments, command.whole))
    if program in ("curl", "pybabel", *_SHELL):
        return ""  # curl and pybabel are run; the others are everybody's
    return f"{program}: this test knows nothing of it"


_SHELL = (
    "mkdir",
    "cp",
    "mv",
    "cd",
    "ls",
    "cat",
    "source",
    "tar",
    "chmod",
    "tail",
    "sleep",
    "git",
    "pg_dump",
    "pg_restore",
    "psql",
    "gzip",
    "gunzip",
    "nvidia-smi",
)


def _variable(name: str) -> str:
    known = {"DATA", "REPOSITORY", "PHOTOS", "KEY"}
    if name in known or f"$({name})" in MAKEFILE or f"${{{name}" in (ROOT / "docker-compose.yml").read_text():
        return ""
    for room in _CLICK:
        fields = import_module(f"{room}.settings").Settings.model_fields
        if name.startswith(f"{room.upper()}_") and name[len(room) + 1 :].lower() in fields:
            return ""
    return f"{name} is no setting"


def _make(arguments: list[str], whole: bool) -> str:
    variables = [word.partition("=")[0] for word in arguments if "=" in word]
    targets = [word for word in arguments if "=" not in word and not word.startswith("-")]
    faults = [f"no target {target}" for target in targets if target not in _TARGETS]
    faults += [f"make knows no {name}" for name in variables if f"$({name})" not in MAKEFILE]
    if whole and not faults:
        faults += _dry(tuple(arguments))
    return "; ".join(faults)


@cache
def _dry(arguments: tuple[str, ...]) -> list[str]:
    """What make says where it would not begin."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHON": sys.executable}
    command = ["make", "--dry-run", "--no-print-directory", f"PYTHON={sys.executable}", *arguments]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return [] if ended.returncode == 0 else [ended.stderr.strip()]


def _python(arguments: list[str], whole: bool) -> str:
    if arguments[:1] != ["-m"] or len(arguments) < 2:
        return f"not -m MODULE: {arguments}"
    module, words = arguments[1], arguments[2:]
    if module.partition(".")[0] in _ELSEWHERE:
        return ""
    if find_spec(module) is None:
        return f"no module {module}"
    if module in _CLICK:
        return _click(typer.main.get_command(import_module(f"{module}.__main__").app), module, words, whole)
    if module == "training" and words:  # pydantic's command line
        return _by_help(module, words)
    return _argparse(module, words, whole)


def _torchrun(arguments: list[str], whole: bool) -> str:
    from torch.distributed.run import get_args_parser

    try:
        read = get_args_parser().parse_args(arguments)
    except SystemExit:
        return f"torchrun does not take {arguments}"
    module = ["-m"] if read.module else []
    return _python([*module, read.training_script, *read.training_script_args], whole)


def _click(command: Any, name: str, words: list[str], whole: bool) -> str:
    """Read as typer would; placeholders for numbers become numbers."""
    words = ["1" if word == "N" else word for word in words]
    if hasattr(command, "commands") and words and not words[0].startswith("-"):
        inner = command.commands.get(words[0])
        return f"no command {words[0]} of {name}" if inner is None else _click(inner, words[0], words[1:], whole)
    if not whole:
        known = {option for parameter in command.params for option in parameter.opts}
        return "; ".join(f"{name} has no {word}" for word in words if word.startswith("--") and word not in known)
    try:
        command.make_context(name, words)
    except Exception as error:  # typer brings a click of its own, whose errors cannot be named
        return f"{name}: {getattr(error, 'message', error)} {' '.join(words)}"
    return ""


def _by_help(module: str, words: list[str]) -> str:
    """Whether the help of a module's command knows the options."""
    said = _help(module, words[0])
    return "; ".join(
        f"{module} does not know {word}"
        for word in words
        if word.startswith("--") and not re.search(rf"{word}\b", said)
    )


@cache
def _help(module: str, command: str) -> str:
    line = [sys.executable, "-m", module, command, "--help"]
    ended = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    return ended.stdout if ended.returncode == 0 else ""


def _argparse(module: str, words: list[str], whole: bool) -> str:
    """Run it until its parser has read the line; placeholders for numbers become numbers."""
    if not words:
        return ""
    words = ["1" if word == "N" else word for word in words]
    faults: list[str] = []

    def read(parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        if whole:
            parser.parse_known_args(words)
            left = parser.parse_known_args(words)[1]
            faults.extend(f"{module} does not know {word}" for word in left)
        else:
            faults.extend(
                f"{module} has no {word}" for word in words if word.startswith("--") and word not in _options(parser)
            )
        raise _ReadError

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of modules that another test has imported
        patch.setattr(argparse.ArgumentParser, "parse_args", read)
        patch.setattr(argparse.ArgumentParser, "error", lambda _self, said: (_ for _ in ()).throw(ValueError(said)))
        patch.setattr(sys, "argv", [module, *words])
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except _ReadError:
            return "; ".join(faults)
        except ValueError as error:
            return f"{module}: {error}"
    return f"{module} takes no arguments"


def _options(parser: argparse.ArgumentParser) -> set[str]:
    """All options of a parser and of its commands."""
    found = set(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found |= {option for inner in action.choices.values() for option in _options(inner)}
    return found


def _docker(arguments: list[str], whole: bool) -> str:
    """Profiles and services are those of docker-compose.yml; what runs inside is checked too."""
    if arguments[:1] == ["run"]:
        image = next(i for i, word in enumerate(arguments) if re.fullmatch(r"[^/\s$]+/.+:.+", word))
        return check(Command("", tuple(arguments[image + 1 :]), (), whole))
    if arguments[:1] != ["compose"]:
        return f"docker {arguments[0]}: this test knows run and compose alone"
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    services = set(compose["services"])
    profiles = {profile for service in compose["services"].values() for profile in service.get("profiles", [])}
    words, faults, plain = arguments[1:], [], []
    while words:
        word = words.pop(0)
        if word == "--profile":
            profile = words.pop(0)
            faults += [] if profile in profiles else [f"no profile {profile}"]
        elif word.startswith("-"):
            continue
        else:
            plain.append(word)
            if plain[0] in ("exec", "run") and len(plain) == 2:
                break
    faults += [f"no service {name}" for name in plain[1:] if name not in services and not _PLACE.fullmatch(name)]
    if words and plain[0] in ("exec", "run"):
        faults.append(check(Command("", tuple(words), (), whole)))
    return "; ".join(filter(None, faults))


def _kubectl(arguments: list[str], whole: bool) -> str:
    """What runs inside a pod is checked."""
    if "--" not in arguments:
        return ""
    return check(Command("", tuple(arguments[arguments.index("--") + 1 :]), (), whole))


def _helm(arguments: list[str], whole: bool) -> str:
    """Values are those of the chart."""
    values = yaml.safe_load((ROOT / "deploy" / "chart" / "values.yaml").read_text(encoding="utf-8"))
    faults = []
    for flag, setting in pairwise(arguments):
        if flag == "--set":
            found: Any = values
            for part in setting.partition("=")[0].split("."):
                found = found.get(part) if isinstance(found, dict) else None
            faults += [f"no value {setting}"] if found is None else []
    charts = [word for word in arguments if word.startswith("deploy/")]
    return "; ".join(faults + [f"no chart {chart}" for chart in charts if not (ROOT / chart / "Chart.yaml").exists()])
