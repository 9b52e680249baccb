"""One release beside another, as figures with their 95 % intervals: what promoting is decided by."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from gateway.dashboard.summary import Percentiles, Share


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Difference(_Part):
    """New release minus stable one, with its 95 % interval; nothing is shown where the interval holds 0."""

    value: float
    low: float
    high: float


class Side(_Part):
    """What one release did in the period."""

    release: int
    answers: int
    decisions: dict[str, Share | None]
    classes: dict[str, Share | None] = Field(description="How often each class was answered, by its key.")
    latency: Percentiles
    feedback: dict[str, int]
    right: Share | None = Field(description="Of the answers said to be right or wrong, those said to be right.")


class Disagreement(_Part):
    """Photos of which the stable release said `class_key`."""

    class_key: str
    disagreed: Share | None = Field(description="Those of which the shadow said another class.")
    instead: dict[str, int] = Field(description="What the shadow said instead, by class key.")


class Shadow(_Part):
    """What the shadow said of photos that the stable release answered."""

    release: int
    answered: int
    failed: int
    dropped: int = Field(description="Not asked, because the shadow was busy.")
    disagreed: Share | None
    classes: list[Disagreement]
    decisions: dict[str, Share | None] = Field(description="Of the stable release, on those photos.")
    shadow_decisions: dict[str, Share | None] = Field(description="Of the shadow, on the same photos.")
    infer_ms: float | None = Field(description="Mean of the stable release's inferences of those photos.")
    shadow_infer_ms: float | None = Field(description="Mean of the shadow's.")


class Comparison(_Part):
    """The stable release beside the candidate, else beside the previous one, and beside the shadow."""

    generated_at: datetime
    hours: int
    task: str
    stable: Side
    other: Side | None = Field(description="Null where the route names neither a candidate nor a previous release.")
    role: str | None = Field(description="Of the other: candidate or previous.")
    differences: dict[str, Difference | None] = Field(
        description="Other minus stable: shares of accepted, uncertain, rejected and right; p50_ms and p95_ms."
    )
    class_differences: dict[str, Difference | None] = Field(description="Other minus stable, share of each class.")
    shadow: Shadow | None
