"""What is answered: decisions and classes, drift from the validation photos, and the bot."""

from typing import Any

from deploy.dashboards.panels import dashboard, graph, number


def decisions() -> dict[str, Any]:
    """What people are told."""
    return dashboard(
        "leaf-decisions",
        "Leaf: decisions and classes",
        "What people are told, by decision, class and release.",
        [
            graph(
                "Decisions",
                "accepted: one plausible class; uncertain: several; rejected: none.",
                ("sum by (decision) (rate(gateway_predictions_total[5m]))", "{{decision}}"),
                unit="reqps",
                stacked=True,
            ),
            graph(
                "Rejected, by release",
                "Share of the last hour. An alert comes above 40 %.",
                ('gateway:decision_share:ratio1h{decision="rejected"} or vector(0)', "release {{release}}"),
                unit="percentunit",
                limit=0.4,
            ),
            graph(
                "Classes",
                "The likeliest class of photos that were not rejected.",
                ('sum by (class) (rate(gateway_predictions_total{decision!="rejected"}[5m]))', "{{class}}"),
                unit="reqps",
                stacked=True,
            ),
            graph(
                "Releases",
                "Which release answered: a canary's share is seen here.",
                ("sum by (release) (rate(gateway_predictions_total[5m]))", "release {{release}}"),
                unit="reqps",
                stacked=True,
            ),
            graph(
                "Asked by",
                "Single photos, batches, photos of one plant.",
                ("sum by (route) (rate(gateway_predictions_total[5m]))", "{{route}}"),
                unit="reqps",
            ),
            graph(
                "Shadow",
                "What became of photos that a shadow release was offered. Dropped is normal: it looks at some only.",
                (
                    "sum by (outcome, release) (rate(gateway_shadow_photos_total[5m])) or vector(0)",
                    "{{outcome}} {{release}}",
                ),
                unit="reqps",
            ),
        ],
        across=2,
    )


def drift() -> dict[str, Any]:
    """How far answers have moved from those on the release's validation photos."""
    return dashboard(
        "leaf-drift",
        "Leaf: drift",
        "The last day's answers beside what the same release answered on its validation photos.",
        [
            number(
                "Photos of the last day",
                "Below 500 the figures beside say little, and no alert comes.",
                "sum(gateway:photos:increase1d)",
                limit=500,
                low=True,
            ),
            number(
                "Classes moved by",
                "Share of photos that would need another class to have the validation photos' shares.",
                "max(gateway:class_drift:distance1d)",
                "percentunit",
                limit=0.25,
            ),
            number(
                "Less sure by",
                "Mean confidence on validation photos less that of the last day.",
                "max(gateway:confidence_drop:difference1d)",
                "percentunit",
                limit=0.1,
            ),
            graph(
                "Class shares, last day",
                "Of photos that were not rejected.",
                ("gateway:class_share:ratio1d", "{{class}} ({{release}})"),
                unit="percentunit",
            ),
            graph(
                "Class shares, validation",
                "The reference, by release.",
                ("max by (release, class) (gateway_reference_class_share)", "{{class}} ({{release}})"),
                unit="percentunit",
            ),
            graph(
                "Distance",
                "Total variation distance of the two. An alert comes above 25 %.",
                ("gateway:class_drift:distance1d", "release {{release}}"),
                unit="percentunit",
                limit=0.25,
            ),
            graph(
                "Confidence",
                "Mean probability of the likeliest class.",
                ("gateway:confidence:mean1d", "last day ({{release}})"),
                ("max by (release) (gateway_reference_confidence)", "validation ({{release}})"),
                unit="percentunit",
                top=1,
            ),
            graph(
                "Confidence, spread",
                "Quantiles over the last hour: a mean can stay while its photos fall into very sure and very unsure ones.",
                *(
                    (
                        f"histogram_quantile({q}, sum by (le) (rate(gateway_prediction_confidence_bucket[1h])))",
                        f"p{round(q * 100)}",
                    )
                    for q in (0.1, 0.5, 0.9)
                ),
                unit="percentunit",
                top=1,
            ),
            graph(
                "Decisions",
                "Last hour beside validation, where no photo of anything else was among them.",
                ("gateway:decision_share:ratio1h", "{{decision}} ({{release}})"),
                (
                    "max by (release, decision) (gateway_reference_decision_share)",
                    "validation: {{decision}} ({{release}})",
                ),
                unit="percentunit",
                top=1,
            ),
        ],
    )


def bot() -> dict[str, Any]:
    """What people on Telegram see."""
    quantiles = [
        (f"histogram_quantile({q}, sum by (le) (rate(bot_answer_seconds_bucket[15m])))", f"p{round(q * 100)}")
        for q in (0.5, 0.95)
    ]
    return dashboard(
        "leaf-bot",
        "Leaf: bot",
        "What people on Telegram see.",
        [
            graph(
                "Messages",
                "Updates that Telegram brought.",
                ("sum(rate(bot_updates_total[5m]))", "updates"),
                unit="reqps",
            ),
            graph(
                "How it ended",
                "failed and given up: somebody got no answer. nobody there: who left or blocked the bot.",
                ("sum by (outcome) (rate(bot_cases_total[5m]))", "{{outcome}}"),
                unit="reqps",
                stacked=True,
            ),
            graph("Waiting", "Updates that are to do.", ("max(bot_updates_waiting)", "waiting"), limit=100),
            graph("From photo to answer", "As people wait for it.", *quantiles, unit="s", limit=30),
            graph(
                "Of that, the gateway",
                "Mean of a call.",
                ("sum(rate(bot_gateway_seconds_sum[5m])) / sum(rate(bot_gateway_seconds_count[5m]))", "gateway"),
                unit="s",
            ),
            graph(
                "Made again",
                "Calls of the gateway, and of Telegram by reason.",
                ("sum(rate(bot_gateway_retries_total[5m]))", "gateway"),
                ("sum by (reason) (rate(bot_telegram_retries_total[5m])) or vector(0)", "Telegram {{reason}}"),
                unit="reqps",
            ),
        ],
    )
