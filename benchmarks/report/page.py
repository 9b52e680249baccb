"""One HTML page with everything inside it: no script, nothing fetched."""

from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from benchmarks.breakdown.stages import ABOUT, HAND_OVER, OUTSIDE, STAGES
from benchmarks.report import plots, summary, table

_FOLDER = Path(__file__).parent


def html(result: dict[str, Any]) -> str:
    """The page of a run."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"number": table.number}
    systems = result["systems"]
    return environment.get_template("page.html.jinja").render(
        result=result,
        systems=systems,
        options=result["options"],
        headline=table.headline(result),
        rows=summary.rows(result),
        figures=summary.FIGURES,
        failed=table.failed(result),
        usual_share=table.usual_share,
        bare_share=summary.best_bare(result),
        plots={name: Markup(svg) for name, svg in _plots(result).items()},  # noqa: S704  # drawn here
        stages=[(name, ABOUT[name]) for name in (*STAGES, HAND_OVER, OUTSIDE)],
        has={
            part: any(part in facts for facts in systems.values()) for part in ("curve", "arrivals", "bad", "overload")
        },
    )


def _plots(result: dict[str, Any]) -> dict[str, str]:
    parts = {part for facts in result["systems"].values() for part in facts}
    drawn = {"throughput": plots.throughput(result)}
    if "curve" in parts:
        drawn["rate by clients"] = plots.by_clients(result, "photos_per_second", "photos per second", log=False)
        drawn["p50 by clients"] = plots.by_clients(result, "p50_ms", "p50, milliseconds", log=True)
        drawn["p95 by clients"] = plots.by_clients(result, "p95_ms", "p95, milliseconds", log=True)
    if "arrivals" in parts:
        drawn["p50 by rate"] = plots.by_rate(result, "p50_ms", "p50, milliseconds")
        drawn["p95 by rate"] = plots.by_rate(result, "p95_ms", "p95, milliseconds")
    if "overload" in parts:
        drawn["overload"] = plots.overload(result)
    if any(one["stages_ms"] for one in result.get("breakdown", {}).values()):
        drawn["breakdown"] = plots.breakdown(result)
    return drawn
