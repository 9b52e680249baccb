"""What the bot counts for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


class Metrics:
    """The figures of this process."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.updates = Counter("bot_updates", "Updates stored, repetitions not counted.", registry=registry)
        self.cases = Counter(
            "bot_cases", "Messages, albums and presses worked off, by how it ended.", ["outcome"], registry=registry
        )
        self.answer_seconds = Histogram(
            "bot_answer_seconds", "From a photo's arrival to its answer.", buckets=_SECONDS, registry=registry
        )
        self.gateway_seconds = Histogram(
            "bot_gateway_seconds", "One call of the gateway for photos.", buckets=_SECONDS, registry=registry
        )
        self.gateway_retries = Counter("bot_gateway_retries", "Calls of the gateway made again.", registry=registry)
        self.telegram_retries = Counter(
            "bot_telegram_retries", "Calls of Telegram made again, by reason.", ["reason"], registry=registry
        )
        self.waiting = Gauge("bot_updates_waiting", "Updates that are to do, a few seconds ago.", registry=registry)

    def exposition(self) -> bytes:
        """In Prometheus's text format."""
        return generate_latest(self.registry)
