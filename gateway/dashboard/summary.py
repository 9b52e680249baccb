"""What the dashboard shows, as one document: the answer of the summary route, and what the charts are drawn from."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from gateway.dashboard.statistics import wilson_interval

DECISIONS = ("accepted", "uncertain", "rejected")
VERDICTS = ("correct", "wrong", "unsure")
STATUSES = ("pending", "confirmed", "dismissed")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Share(_Part):
    """`hits` of `of`, as a share with its 95 % Wilson interval."""

    hits: int
    of: int
    value: float
    low: float
    high: float

    @classmethod
    def of_counts(cls, hits: int, of: int) -> "Share | None":
        """None where nothing was counted."""
        if of == 0:
            return None
        low, high = wilson_interval(hits, of)
        return cls(hits=hits, of=of, value=round(hits / of, 4), low=round(low, 4), high=round(high, 4))


class Percentiles(_Part):
    """Milliseconds that half and 95 % of the answers needed at most; None without answers."""

    p50_ms: float | None
    p95_ms: float | None


class ClassShare(_Part):
    """How often one class was answered; `counts` by bucket."""

    key: str
    name: str
    counts: list[int]
    share: Share | None


class Confidence(_Part):
    """Histogram of the confidence: `edges` one more than bins, counts by decision."""

    edges: list[float]
    counts: dict[str, list[int]]


class Latency(_Part):
    """Percentiles of the total time by bucket and over all, and of each stage; `sampled` of the answers were looked at."""

    sampled: int
    of: int
    overall: Percentiles
    buckets: list[Percentiles]
    stages: dict[str, Percentiles]


class ReleaseFigures(_Part):
    """One release; `right` is the share of answers said to be right among those said to be right or wrong."""

    number: int
    answers: int
    decisions: dict[str, Share | None]
    latency: Percentiles
    feedback: dict[str, int]
    right: Share | None


class Feedback(_Part):
    """What people said of the period's answers, after review.

    Dismissed feedback counts in `statuses` alone; where an expert settled the class, that decides between right and wrong.
    """

    counts: dict[str, list[int]]
    statuses: dict[str, int]
    right: Share | None


class Summary(_Part):
    """Figures of one period; lists by bucket are as long as `starts`.

    `refusals` are not of the period: requests answered with a problem since the gateway started, and photos within
    batches and diagnoses, by the last part of the problem's type, in all its processes; None where they are not counted.
    """

    generated_at: datetime
    bucket_hours: int
    starts: list[datetime]
    answers: int
    volume: list[int]
    decisions: dict[str, list[int]]
    rejected: list[Share | None]
    decision_shares: dict[str, Share | None]
    classes: list[ClassShare]
    confidence: Confidence
    latency: Latency
    releases: list[ReleaseFigures]
    feedback: Feedback
    pending_reviews: int
    refusals: dict[str, int] | None = None
