"""What makes each alert fire, and what does not: series as promtool writes them, a sample a minute.

`0+6x60` counts 60 minutes by 6, `0x60` stays 0.
"""

from dataclasses import dataclass, field

Series = dict[str, str]
_PREDICT = 'gateway_http_requests_total{job="gateway", method="POST", route="/v1/predict", status="%s"}'
_DAY = 200
"""Minutes: of the day over which drift is measured Prometheus takes what is there."""


@dataclass(frozen=True)
class Case:
    """An alert, the series that make it fire and similar ones that must not.

    Attributes:
        at: minute at which it fires, and at which it is silent with `quiet`.
        labels: of the alert, but severity and name.
        summary: its text, figures filled in.
    """

    alert: str
    loud: Series
    quiet: Series
    at: int
    summary: str
    labels: dict[str, str] = field(default_factory=dict)


def _answers(minutes: int, errors: str, successes: str = "0+60") -> Series:
    return {_PREDICT % 200: f"{successes}x{minutes}", _PREDICT % 503: f"{errors}x{minutes}"}


def _inference(slow: int) -> Series:
    stage = 'gateway_prediction_stage_seconds_%s{stage="infer"%s}'
    return {
        stage % ("bucket", ', le="2.5"'): f"0+{100 - slow}x60",
        stage % ("count", ""): "0+100x60",
        _PREDICT % 200: "0+100x60",
    }


def _queue(waited_us: int, executions: int = 60) -> Series:
    labels = '{job="triton", instance="t:8002", model="preprocess", version="1"}'
    return {
        f"nv_inference_queue_duration_us{labels}": f"0+{waited_us * executions}x60",
        f"nv_inference_request_success{labels}": f"0+{executions}x60",
    }


def _rejects(rejected: int) -> Series:
    labels = '{instance="t:8002", model="%s", reason="%s"}'
    return {
        "nv_inference_request_failure" + labels % ("preprocess", "REJECTED"): f"0+{rejected}x60",
        "nv_inference_request_failure" + labels % ("leaf_ensemble_1", "OTHER"): f"0+{rejected}x60",
        'nv_inference_request_success{instance="t:8002", model="leaf_ensemble_1"}': f"0+{100 - rejected}x60",
    }


def _decisions(rejected: int, minutes: int = 120) -> Series:
    labels = 'gateway_predictions_total{route="predict", release="3", class="cmd", decision="%s"}'
    return {labels % "rejected": f"0+{rejected}x{minutes}", labels % "accepted": f"0+{100 - rejected}x{minutes}"}


def _classes(mosaic: int) -> Series:
    labels = '{release="3", class="%s"%s}'
    more = ', route="predict", decision="accepted"'
    return {
        "gateway_predictions_total" + labels % ("cmd", more): f"0+{mosaic}x{_DAY}",
        "gateway_predictions_total" + labels % ("healthy", more): f"0+{100 - mosaic}x{_DAY}",
        "gateway_reference_class_share" + labels % ("cmd", ""): f"0.5x{_DAY}",
        "gateway_reference_class_share" + labels % ("healthy", ""): f"0.3x{_DAY}",
        "gateway_reference_class_share" + labels % ("cbb", ""): f"0.2x{_DAY}",
    }


def _confidence(hundredths: int) -> Series:
    return {
        'gateway_prediction_confidence_sum{release="3"}': f"0+{hundredths / 10}x{_DAY}",
        'gateway_prediction_confidence_count{release="3"}': f"0+10x{_DAY}",
        'gateway_predictions_total{release="3", class="cmd", decision="accepted"}': f"0+10x{_DAY}",
        'gateway_reference_confidence{release="3"}': f"0.9x{_DAY}",
    }


def _gpu(busy: float, waited_us: int) -> Series:
    return {'nv_gpu_utilization{gpu_uuid="GPU-1", instance="t:8002"}': f"{busy}x60", **_queue(waited_us)}


_GATEWAY, _SECOND = 'up{job="gateway", instance="g:9464"}', 'up{job="gateway", instance="h:9464"}'
_TRITON, _BOT = 'up{job="triton", instance="t:8002"}', 'up{job="bot", instance="b:9465"}'
_READY, _READY_TOO = 'gateway_triton_ready{instance="g:9464"}', 'gateway_triton_ready{instance="h:9464"}'
_PENDING = 'nv_inference_pending_request_count{instance="t:8002", model="vit"}'
_RUNS = 'nv_inference_exec_count{instance="t:8002", model="vit"}'
_MEMORY = '{gpu_uuid="GPU-1", instance="t:8002"}'
_ON_GPU = {"gpu_uuid": "GPU-1", "instance": "t:8002"}

CASES = [
    Case("Watchdog", {_GATEWAY: "1x5"}, {}, 1, "Always fires: where it stops, alerts do not arrive."),
    Case(
        "GatewayDown",
        {_GATEWAY: "1x5 0x10", _SECOND: "1x5 0x10"},
        {_GATEWAY: "1x5 0x10", _SECOND: "1x15"},
        8,
        "No gateway answers Prometheus: nobody gets a diagnosis.",
    ),
    Case(
        "GatewayPartlyDown",
        {_GATEWAY: "1x5 0x20", _SECOND: "1x25"},
        {_GATEWAY: "1x25", _SECOND: "1x25"},
        18,
        "Gateway g:9464 is out of reach; others answer.",
        {"instance": "g:9464", "job": "gateway"},
    ),
    Case(
        "TritonDown",
        {_TRITON: "1x5 0x10"},
        {_TRITON: "1x5 0x1 1x10"},
        9,
        "No Triton answers Prometheus: nobody gets a diagnosis.",
    ),
    Case(
        "EnsembleWedged",
        {_READY: "1x5 0x10", _READY_TOO: "1x5 0x10", _TRITON: "1x15"},
        {_READY: "1x5 0x10", _READY_TOO: "1x15", _TRITON: "1x15"},
        9,
        "Triton is up, and no gateway gets an inference out of it.",
    ),
    Case(
        "QueueStuck",
        {_PENDING: "0x5 4x15", _RUNS: "0+9x5 45x15"},
        {_PENDING: "0x5 4x15", _RUNS: "0+9x20"},
        14,
        "vit on t:8002 holds 4 requests and executes none.",
        {"instance": "t:8002", "model": "vit"},
    ),
    Case(
        "GatewayCannotReachTriton",
        {_READY: "0x20", _READY_TOO: "1x20"},
        {_READY: "1x20", _READY_TOO: "1x20"},
        12,
        "Gateway g:9464 gets no inference; others do.",
        {"instance": "g:9464"},
    ),
    Case(
        "BotDown",
        {_BOT: "1x60 0x60", "bot_updates_total": "0+1x60 _x60"},
        {_BOT: "0x120"},
        68,
        "The bot that ran an hour ago is out of reach: messages wait with Telegram.",
    ),
    Case(
        "ErrorBudgetBurnsFast",
        _answers(90, "0+10"),
        _answers(90, "0+1"),
        80,
        "14.29% of photos failed over the last hour.",
    ),
    Case(
        "ErrorBudgetBurnsSlowly",
        _answers(100, "0+3"),
        _answers(100, "0+0.1"),
        90,
        "4.762% of photos failed over six hours.",
    ),
    Case("SlowAnswers", _inference(10), _inference(4), 40, "10% of photos waited more than 2.5 s for Triton."),
    Case(
        "QueueRejects",
        _rejects(5),
        _rejects(0),
        30,
        "Triton t:8002 turns 5% of requests away.",
        {"instance": "t:8002"},
    ),
    Case(
        "QueueTimeHigh",
        _queue(800_000),
        _queue(20_000),
        30,
        "Requests wait 800ms in a queue of Triton t:8002.",
        {"instance": "t:8002"},
    ),
    Case(
        "GatewayOverloaded",
        {'gateway_refusals_total{type="overloaded"}': "0+6x60", **_answers(60, "0+0")},
        {'gateway_refusals_total{type="rate-limited"}': "0+6x60", **_answers(60, "0+0")},
        30,
        "The gateways turn 10% of requests away for want of room.",
    ),
    Case(
        "RefusalRateHigh",
        _decisions(60),
        _decisions(10),
        100,
        "Release 3 rejects 60% of photos as none of its classes.",
        {"release": "3", "decision": "rejected"},
    ),
    Case(
        "BadUploadsMany",
        {
            'gateway_refusals_total{type="image-too-small"}': "0+30x120",
            _PREDICT % 200: "0+30x120",
            _PREDICT % 422: "0+30x120",
        },
        {
            'gateway_refusals_total{type="image-too-small"}': "0+3x120",
            _PREDICT % 200: "0+57x120",
            _PREDICT % 422: "0+3x120",
        },
        100,
        "50% of uploads are no usable picture.",
    ),
    Case(
        "ClassShareDrift",
        _classes(90),
        _classes(60),
        190,
        "The classes that release 3 answers have moved by 40% from its validation photos.",
        {"release": "3"},
    ),
    Case(
        "ConfidenceDrift",
        _confidence(70),
        _confidence(85),
        190,
        "Release 3 is less sure than on its validation photos, by 20%.",
        {"release": "3"},
    ),
    Case(
        "RecordsLost",
        {"gateway_records_dropped_total": "0x20 0+6x20"},
        {"gateway_records_dropped_total": "7x40"},
        35,
        "60 predictions were not recorded and never will be.",
    ),
    Case(
        "RecordsWaiting",
        {'gateway_records_waiting{instance="g"}': "1500x30", 'gateway_records_waiting{instance="h"}': "1500x30"},
        {"gateway_records_waiting": "1500x30"},
        20,
        "3000 predictions wait for the database.",
    ),
    Case(
        "PhotosNotKept",
        {"gateway_photos_dropped_total": "0+1x120"},
        {"gateway_photos_dropped_total": "5x120"},
        90,
        "60 photos that people agreed to share were not kept.",
    ),
    Case(
        "GpuMemoryNearlyFull",
        {f"nv_gpu_memory_used_bytes{_MEMORY}": "98x60", f"nv_gpu_memory_total_bytes{_MEMORY}": "100x60"},
        {f"nv_gpu_memory_used_bytes{_MEMORY}": "60x60", f"nv_gpu_memory_total_bytes{_MEMORY}": "100x60"},
        30,
        "GPU GPU-1 of t:8002 has 98% of its memory in use.",
        _ON_GPU,
    ),
    Case(
        "GpuSaturated",
        _gpu(0.99, 300_000),
        _gpu(0.99, 2_000),
        45,
        "GPU GPU-1 of t:8002 is busy all the time and requests wait.",
        _ON_GPU,
    ),
    Case(
        "BotBacklog",
        {"bot_updates_waiting": "250x30"},
        {"bot_updates_waiting": "30x30"},
        20,
        "250 messages wait for the bot.",
    ),
    Case(
        "BotFails",
        {'bot_cases_total{outcome="done"}': "0+8x60", 'bot_cases_total{outcome="given up"}': "0+2x60"},
        {'bot_cases_total{outcome="done"}': "0+8x60", 'bot_cases_total{outcome="nobody there"}': "0+2x60"},
        40,
        "20% of people's messages end without an answer.",
    ),
    Case(
        "BotSlow",
        {'bot_answer_seconds_bucket{le="30.0"}': "0+6x60", "bot_answer_seconds_count": "0+10x60"},
        {'bot_answer_seconds_bucket{le="30.0"}': "0+10x60", "bot_answer_seconds_count": "0+10x60"},
        50,
        "40% of photos in Telegram got their answer after more than 30 s.",
    ),
]
