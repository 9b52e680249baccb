"""Whether everybody is answered, and how fast."""

from typing import Any

from deploy.dashboards.panels import dashboard, graph, number, table

_PHOTOS = 'method="POST", route=~"/v1/predict|/predict|/v1/predict:batch|/v1/diagnoses"'
_STEPS = 'model!~"leaf_ensemble.*"'


def traffic() -> dict[str, Any]:
    """The first dashboard to open: is everybody answered?"""
    return dashboard(
        "leaf-traffic",
        "Leaf: traffic",
        "Is everybody answered? Alerts, requests, faults and room.",
        [
            number(
                "Photos a second", "Requests with photos, over 5 minutes.", "gateway:photo_requests:rate5m", "reqps"
            ),
            number(
                "Faults in 5 minutes",
                "5xx and answers cut off, of requests with photos. The budget is 0.5 % a month.",
                "gateway:photo_errors:ratio5m",
                "percentunit",
                limit=0.03,
            ),
            number(
                "Gateways that get answers",
                "Gateways to which Triton has answered an inference lately.",
                "sum(gateway_triton_ready)",
                limit=1,
                low=True,
            ),
            table(
                "Alerts",
                "What fires now; runbooks are in docs/alerts.md. Watchdog always does.",
                'sum by (alertname, severity, instance) (ALERTS{alertstate="firing"})',
            ),
            graph(
                "Requests by status",
                "499: the client left. 429: above the caller's share. 503: no room, or Triton is away.",
                (f"sum by (status) (rate(gateway_http_requests_total{{{_PHOTOS}}}[5m]))", "{{status}}"),
                unit="reqps",
                stacked=True,
            ),
            graph(
                "Refusals by kind",
                "Problems answered, also to single photos of several.",
                ("sum by (type) (rate(gateway_refusals_total[5m]))", "{{type}}"),
                unit="reqps",
            ),
            graph(
                "Error budget",
                "Share of photos that failed, by how far back. Fast burn: the hour above 7.2 %; slow: six hours above 3 %.",
                ("gateway:photo_errors:ratio1h", "1 hour"),
                ("gateway:photo_errors:ratio6h", "6 hours"),
                unit="percentunit",
                limit=0.03,
            ),
            graph(
                "Photos and requests in work",
                "By gateway. Beyond those let in a photo gets 503: GATEWAY_MAX_IN_FLIGHT a process, fewer after late ones.",
                ("sum by (instance) (gateway_photos_in_work)", "photos {{instance}}"),
                ("sum by (instance) (gateway_photos_let_in)", "let in {{instance}}"),
                ("sum by (instance) (gateway_http_requests_in_flight)", "requests {{instance}}"),
            ),
            graph(
                "Callers above their share",
                "Requests answered 429, by kind of caller.",
                ("sum by (caller) (rate(gateway_rate_limited_total[5m])) or vector(0)", "{{caller}}"),
                unit="reqps",
            ),
            graph(
                "Record",
                "Predictions written and lost a second; those that wait are drawn too and should stay near none.",
                ("sum(rate(gateway_records_written_total[5m]))", "written"),
                ("sum(rate(gateway_records_dropped_total[5m]))", "lost"),
                ("sum(gateway_records_waiting)", "waiting"),
            ),
            graph(
                "Workers",
                "Processes that answer, by gateway. A dip is a process that died and was started again.",
                ("sum by (instance) (gateway_workers)", "{{instance}}"),
            ),
            graph(
                "Reachable",
                "1 where Prometheus reaches it.",
                ("up", "{{job}} {{instance}}"),
                top=1,
            ),
        ],
    )


def latency() -> dict[str, Any]:
    """Where a photo's time goes."""
    quantiles = [
        (
            f"histogram_quantile({q}, sum by (le) (rate(gateway_prediction_stage_seconds_bucket"
            f'{{stage="{stage}"}}[5m])))',
            f"p{round(q * 100)}",
        )
        for stage in ("infer",)
        for q in (0.5, 0.95, 0.99)
    ]
    stage_mean = (
        "sum by (stage) (rate(gateway_prediction_stage_seconds_sum[5m]))"
        " / sum by (stage) (rate(gateway_prediction_stage_seconds_count[5m]))"
    )
    spent = (
        f"sum by (model) (rate(nv_inference_%s_duration_us{{{_STEPS}}}[5m]))"
        f" / sum by (model) (rate(nv_inference_request_success{{{_STEPS}}}[5m])) / 1e6"
    )
    return dashboard(
        "leaf-latency",
        "Leaf: latency",
        "Where a photo's time goes, from its first byte to the answer.",
        [
            graph(
                "Mean by stage",
                "receive is the sender's network; queue waits for memory and a thread; infer is all of Triton.",
                (stage_mean, "{{stage}}"),
                unit="s",
                stacked=True,
            ),
            graph(
                "Inference", "As the gateway sees it. The promise: 95 % within 2.5 s.", *quantiles, unit="s", limit=2.5
            ),
            graph(
                "Slow inferences",
                "Share above 2.5 s.",
                ("gateway:slow_inference:ratio5m", "above 2.5 s"),
                unit="percentunit",
                limit=0.05,
            ),
            graph(
                "Whole requests, p95",
                "With the upload: on slow phones this is their network.",
                (
                    "histogram_quantile(0.95, sum by (le, route) "
                    f"(rate(gateway_http_request_duration_seconds_bucket{{{_PHOTOS.split(', ', 1)[1]}}}[5m])))",
                    "{{route}}",
                ),
                unit="s",
            ),
            graph("In Triton: waiting", "Mean wait in each step's queue.", (spent % "queue", "{{model}}"), unit="s"),
            graph("In Triton: computing", "Mean of each step.", (spent % "compute_infer", "{{model}}"), unit="s"),
        ],
        across=2,
    )
