"""Reads the Dockerfiles of deploy/images, as far as these use the language, and lays out what they copy."""

import json
import re
import shutil
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from processes import ROOT

IMAGES = ROOT / "deploy" / "images"


@dataclass
class Image:
    """What a container of a built stage starts with."""

    base: str
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "0"
    workdir: str = "/"
    command: list[str] = field(default_factory=list)
    entrypoint: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    copied: list[tuple[list[str], str]] = field(default_factory=list)
    """Sources below the context, and where they go."""
    packages: list[str] = field(default_factory=list)
    """Locks that are installed into /opt/venv, of this stage and those it copies from."""

    def lay_out(self, folder: Path) -> None:
        """Make the files that COPY brings from the context, below `folder`."""
        for sources, target in self.copied:
            for source in sources:
                assert not is_ignored(source), f"{source} is copied, but .dockerignore leaves it out"
                place = folder / target.lstrip("/")
                if (ROOT / source).is_dir():
                    shutil.copytree(
                        ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True
                    )
                else:
                    place = place / Path(source).name if target.endswith("/") else place
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / source, place)


def is_ignored(source: str) -> bool:
    """Whether .dockerignore keeps a path out of the context; the last pattern that fits decides."""
    ignored = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if line and not line.startswith("#") and (fnmatch(source, pattern) or source.startswith(f"{pattern}/")):
            ignored = not line.startswith("!")
    return ignored


def instructions(name: str) -> list[tuple[str, str]]:
    """Words and arguments of a Dockerfile, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (IMAGES / f"{name}.Dockerfile").read_text(), flags=re.MULTILINE)
    lines = [line.strip() for line in re.sub(r"\\\n\s*", " ", text).splitlines() if line.strip()]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def read_image(name: str, target: str = "", **arguments: str) -> Image:
    """A stage, the last one unless `target` names another; `arguments` as --build-arg."""
    values, stages, current = dict[str, str](), dict[str, Image](), Image("")
    for word, rest in instructions(name):
        if word == "ARG":
            key, _, default = rest.partition("=")
            values.setdefault(key, arguments.get(key, default))
            continue
        rest = re.sub(r"\$\{(\w+)\}", lambda match: values.get(match[1], match[0]), rest)
        if word == "FROM":
            if target and target in stages:
                break
            base, _, alias = rest.partition(" AS ")
            current = Image(**(vars(stages[base]) | {"base": base})) if base in stages else Image(base)
            current.environment, current.copied = dict(current.environment), list(current.copied)
            current.packages = list(current.packages)
            stages[alias or "last"] = current
        elif word == "COPY":
            *sources, place = [part for part in rest.split() if not part.startswith("--")]
            if rest.startswith("--from="):
                current.packages += stages[rest.split()[0].removeprefix("--from=")].packages
            elif place == ".":
                current.packages += [source for source in sources if source != "requirements/uv.txt"]
            else:
                current.copied.append((sources, place if place.startswith("/") else f"{current.workdir}/{place}"))
        else:
            _set(current, word, rest)
    return stages[target] if target else current


def _set(image: Image, word: str, rest: str) -> None:
    if word == "ENV":
        image.environment |= dict(pair.split("=", 1) for pair in rest.split())
    elif word == "USER":
        image.user = rest
    elif word == "WORKDIR":
        image.workdir = rest
    elif word == "CMD":
        image.command = json.loads(rest)
    elif word == "ENTRYPOINT":
        image.entrypoint = json.loads(rest)
    elif word == "HEALTHCHECK":
        image.health = json.loads(rest[rest.index("[") :])
