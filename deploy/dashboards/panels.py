"""Panels and dashboards in the form in which Grafana 11 and later read them (schema version 41)."""

from collections.abc import Mapping, Sequence
from typing import Any

Panel = dict[str, Any]
Query = tuple[str, str]
"""PromQL, and what its series are called: `{{label}}` is filled in."""

COLUMNS = 24
HEIGHT = 8
_SOURCE = {"type": "prometheus", "uid": "${source}"}


def graph(
    title: str,
    says: str,
    *queries: Query,
    unit: str = "short",
    stacked: bool = False,
    top: float | None = None,
    limit: float | None = None,
) -> Panel:
    """Lines over time.

    Args:
        says: what is seen and what is unusual, shown at the title.
        unit: Grafana's key, such as `s`, `reqps`, `percentunit`, `bytes`.
        stacked: whether series add up.
        top: of the axis.
        limit: above which an alert comes; drawn.
    """
    custom: dict[str, Any] = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 20 if stacked else 0}
    if stacked:
        custom["stacking"] = {"mode": "normal", "group": "A"}
    if limit is not None:
        custom["thresholdsStyle"] = {"mode": "line"}
    options = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    panel = _panel("timeseries", title, says, queries, options, _defaults(unit, limit) | {"custom": custom, "min": 0})
    if top is not None:
        panel["fieldConfig"]["defaults"]["max"] = top
    return panel


def number(
    title: str, says: str, expr: str, unit: str = "short", limit: float | None = None, low: bool = False
) -> Panel:
    """One figure as it is now, red above `limit`, or below it where `low`."""
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "area",
        "textMode": "auto",
        "justifyMode": "auto",
        "orientation": "auto",
    }
    return _panel("stat", title, says, [(expr, "")], options, _defaults(unit, limit, low))


def table(title: str, says: str, expr: str) -> Panel:
    """The series that are there now, a row each."""
    panel = _panel(
        "table", title, says, [(expr, "")], {"showHeader": True, "cellHeight": "sm"}, _defaults("short", None)
    )
    panel["targets"][0] |= {"instant": True, "range": False, "format": "table"}
    return panel


def dashboard(uid: str, title: str, says: str, panels: Sequence[Panel], across: int = 3) -> dict[str, Any]:
    """A dashboard of panels in rows of `across`.

    Args:
        uid: under which it is linked, and the name of its file.
    """
    width = COLUMNS // across
    placed = [
        {**panel, "id": i + 1, "gridPos": {"h": HEIGHT, "w": width, "x": i % across * width, "y": i // across * HEIGHT}}
        for i, panel in enumerate(panels)
    ]
    return {
        "uid": uid,
        "title": title,
        "description": says,
        "tags": ["leaf-ensemble"],
        "schemaVersion": 41,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [
                {
                    "name": "source",
                    "label": "Source",
                    "type": "datasource",
                    "query": "prometheus",
                    "hide": 0,
                    "refresh": 1,
                }
            ]
        },
        "annotations": {"list": [_new_releases()]},
        "links": [
            {
                "title": "Leaf ensemble",
                "type": "dashboards",
                "tags": ["leaf-ensemble"],
                "asDropdown": True,
                "icon": "external link",
                "includeVars": True,
                "keepTime": True,
                "targetBlank": False,
                "tooltip": "",
                "url": "",
            }
        ],
        "panels": placed,
    }


def _new_releases() -> dict[str, Any]:
    """A mark where a release is first seen: most questions begin with what has changed."""
    figure = "gateway_reference_confidence"
    return {
        "name": "new release",
        "enable": True,
        "iconColor": "purple",
        "datasource": _SOURCE,
        "expr": f"max by (release) ({figure}) unless max by (release) ({figure} offset 5m)",
    }


def _defaults(unit: str, limit: float | None, low: bool = False) -> dict[str, Any]:
    colours = ("red", "green") if low else ("green", "red")
    steps: list[Mapping[str, Any]] = [{"color": colours[0] if limit is not None else "green", "value": None}]
    if limit is not None:
        steps.append({"color": colours[1], "value": limit})
    return {"unit": unit, "thresholds": {"mode": "absolute", "steps": steps}}


def _panel(
    kind: str, title: str, says: str, queries: Sequence[Query], options: dict[str, Any], defaults: dict[str, Any]
) -> Panel:
    targets = [
        {"refId": chr(ord("A") + i), "expr": expr, "legendFormat": legend, "range": True, "datasource": _SOURCE}
        for i, (expr, legend) in enumerate(queries)
    ]
    return {
        "type": kind,
        "title": title,
        "description": says,
        "datasource": _SOURCE,
        "targets": targets,
        "options": options,
        "fieldConfig": {"defaults": defaults, "overrides": []},
    }
