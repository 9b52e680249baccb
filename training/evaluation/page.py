"""Renders the room's evaluation pages: one HTML file each, styles and pictures inside, no script."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"
GAP = "\u00a0"
MINUS = "\u2212"


def render(template: str, **context: Any) -> str:
    """Fill a template of `templates/`; everything in the context is escaped unless it is `Markup`."""
    return _environment().get_template(template).render(**context)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "figure": figure,
        "between": between,
        "percent_between": percent_between,
        "signed": signed,
        "signed_between": signed_between,
        "thousands": thousands,
    }
    environment.globals["stylesheet"] = Markup((TEMPLATES / "page.css").read_text(encoding="utf-8"))  # noqa: S704
    return environment


def percent(share: float | None, digits: int = 1) -> str:
    """`70.8 %`; a dash where there is nothing."""
    return "–" if share is None else f"{share * 100:.{digits}f}{GAP}%"


def figure(value: float | None, digits: int = 3) -> str:
    """`0.535`; a dash where there is nothing."""
    return "–" if value is None else f"{value:.{digits}f}"


def between(bounds: list[float] | None, digits: int = 3) -> str:
    """Two figures with a dash between; a dash alone where there is nothing."""
    return "–" if bounds is None else f"{bounds[0]:.{digits}f}–{bounds[1]:.{digits}f}"


def percent_between(bounds: list[float] | None, digits: int = 1) -> str:
    """Two percentages with a dash between; a dash alone where there is nothing."""
    return "–" if bounds is None else f"{bounds[0] * 100:.{digits}f}–{bounds[1] * 100:.{digits}f}{GAP}%"


def signed(value: float, digits: int = 3) -> str:
    """`+0.113`, and a true minus."""
    text = f"{value:+.{digits}f}"
    return text.replace("-", MINUS)


def signed_between(bounds: list[float], digits: int = 3) -> str:
    """Two signed figures with "to" between."""
    return f"{signed(bounds[0], digits)} to {signed(bounds[1], digits)}"


def thousands(number: int) -> str:
    """`1,068,101`."""
    return f"{number:,}"
