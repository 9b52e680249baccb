"""The model's figures as Markdown; docs/capacity.md ends with them."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from deploy.capacity.model import LOADS, SIZES, Assumptions, Plan, limits, plan

_COLUMNS = (
    "photos/s",
    "megapixels",
    "GPUs",
    "gateway cores",
    "network in, Gbit/s",
    "rows a day",
    "rows kept",
    "photos kept",
    "computing, $ a month",
    "storing, $ a month",
    "or no GPU: cores",
)


def _number(value: float) -> str:
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g}"


def _bytes(gigabytes: float) -> str:
    for unit, size in (("PB", 1e6), ("TB", 1e3)):
        if gigabytes >= size:
            return f"{gigabytes / size:.3g} {unit}"
    return f"{gigabytes:.3g} GB"


def needs_table(plans: Sequence[Plan]) -> str:
    """The plans as Markdown."""
    lines = [f"| {' | '.join(_COLUMNS)} |", "|---" * len(_COLUMNS) + "|"]
    for one in plans:
        cells = (
            f"{one.photos_per_second:,g}",
            one.megapixels,
            f"{one.gpus:,}",
            f"{one.gateway_cores:,}",
            f"{one.incoming_gbit_per_second:.2f}",
            _number(one.rows_a_day),
            _bytes(one.rows_gb),
            _bytes(one.kept_photos_gb),
            f"{one.compute_dollars_a_month:,.0f}",
            f"{one.storage_dollars_a_month:,.0f}",
            f"{one.cpu_only_cores:,}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def limits_table(measured: dict[str, Any], given: Assumptions) -> str:
    """What breaks first on one machine, as Markdown."""
    large = {limit.name: limit.photos_per_second for limit in limits(measured, given, SIZES[1])}
    lines = ["| what | full at, photos/s of 2 MP | of 12 MP | what to change |", "|---|---|---|---|"]
    for limit in limits(measured, given, SIZES[0]):
        lines.append(f"| {limit.name} | {limit.photos_per_second:,.0f} | {large[limit.name]:,.0f} | {limit.change} |")
    return "\n".join(lines)


def page(measured: dict[str, Any], given: Assumptions) -> str:
    """The generated part of docs/capacity.md."""
    gateway, engine, rows = measured["gateway"], measured["cpu_engine"], measured["database"]
    costs = ", ".join(f"{cost:g} ms for {size} megapixels" for size, cost in gateway["cpu_ms"].items())
    figures = [
        f"- gateway, processor time of a photo: {costs} ({gateway['hardware']}, `{gateway['command']}`)",
        f"- database: {rows['bytes_per_row']:g} bytes a prediction with its indexes ({rows['rows']:,} rows)",
        f"- without a GPU: {engine['photos_per_second']:g} photos/s ({engine['hardware']}, `{engine['command']}`)",
    ]
    assumed = [
        f"- `--{field.name.replace('_', '-')} {getattr(given, field.name):g}`: {field.metadata['says']}"
        for field in dataclasses.fields(given)
    ]
    plans = [plan(measured, given, rate, size) for size in SIZES for rate in LOADS]
    return "\n".join(
        [
            f"<!-- measured {measured['date']}; all below is written by `python -m deploy.capacity --page` (make docs) -->",
            "## What it takes",
            needs_table(plans),
            "",
            "## What breaks first on one machine",
            limits_table(measured, given),
            "",
            "## Measured",
            *figures,
            "",
            "## Assumed",
            *assumed,
        ]
    )
