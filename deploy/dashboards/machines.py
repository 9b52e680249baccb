"""What Triton and its GPUs do."""

from typing import Any

from deploy.dashboards.panels import dashboard, graph

_STEPS = 'model!~"leaf_ensemble.*"'


def triton() -> dict[str, Any]:
    """Batches, queues and failures by step."""
    return dashboard(
        "leaf-triton",
        "Leaf: Triton",
        "Batch sizes, queues and failures of each step of the ensemble.",
        [
            graph(
                "Mean batch",
                "Photos computed together. Near 1 under load: requests do not meet, see max_queue_delay.",
                ("triton:batch:mean5m", "{{model}}"),
            ),
            graph(
                "Waiting",
                "Mean wait in a queue.",
                ("triton:queue_seconds:mean5m", "{{model}} {{instance}}"),
                unit="s",
                limit=0.5,
            ),
            graph(
                "Requests that wait",
                "Now, by step. Holding some and executing none is an alert.",
                ("sum by (model) (nv_inference_pending_request_count)", "{{model}}"),
            ),
            graph(
                "Executions",
                "Runs of each step, whatever their batch.",
                (f"sum by (model) (rate(nv_inference_exec_count{{{_STEPS}}}[5m]))", "{{model}}"),
                unit="ops",
            ),
            graph(
                "Photos by ensemble",
                "Which releases compute: stable, candidate and shadow.",
                ('sum by (model) (rate(nv_inference_request_success{model=~"leaf_ensemble.*"}[5m]))', "{{model}}"),
                unit="reqps",
                stacked=True,
            ),
            graph(
                "Failures by reason",
                "REJECTED: a full queue or too long a wait. An ensemble counts it again: steps alone are shown.",
                (
                    f"sum by (model, reason) (rate(nv_inference_request_failure{{{_STEPS}}}[5m]))",
                    "{{model}} {{reason}}",
                ),
                unit="reqps",
            ),
            graph(
                "Turned away",
                "Share of requests that a full queue refuses.",
                ("triton:rejects:ratio5m", "{{instance}}"),
                unit="percentunit",
                limit=0.01,
            ),
            graph(
                "Processor", "Of Triton's machine.", ("nv_cpu_utilization", "{{instance}}"), unit="percentunit", top=1
            ),
            graph(
                "Memory",
                "Of Triton's machine, and pinned memory, through which GPUs copy.",
                ("nv_cpu_memory_used_bytes", "{{instance}} used"),
                ("nv_pinned_memory_pool_used_bytes", "{{instance}} pinned"),
                unit="bytes",
            ),
        ],
    )


def gpu() -> dict[str, Any]:
    """Each GPU, as Triton reads it through NVIDIA's DCGM; empty on machines without one."""
    return dashboard(
        "leaf-gpu",
        "Leaf: GPU",
        "Each GPU as Triton reads it; empty on machines without one.",
        [
            graph(
                "Busy",
                "Share of time in which a kernel runs.",
                ("nv_gpu_utilization", "{{instance}} {{gpu_uuid}}"),
                unit="percentunit",
                top=1,
            ),
            graph(
                "Memory in use",
                "A promotion needs room for one more release.",
                ("nv_gpu_memory_used_bytes / nv_gpu_memory_total_bytes", "{{instance}} {{gpu_uuid}}"),
                unit="percentunit",
                top=1,
                limit=0.95,
            ),
            graph("Memory", "In bytes.", ("nv_gpu_memory_used_bytes", "{{instance}} {{gpu_uuid}}"), unit="bytes"),
            graph(
                "Power",
                "At its limit a GPU lowers its clock.",
                ("nv_gpu_power_usage", "{{instance}} {{gpu_uuid}}"),
                ("nv_gpu_power_limit", "{{instance}} {{gpu_uuid}} limit"),
                unit="watt",
            ),
            graph(
                "Energy for a photo",
                "Joules, of all GPUs together.",
                (
                    "sum(rate(nv_energy_consumption[5m]))"
                    ' / sum(rate(nv_inference_request_success{model=~"leaf_ensemble.*"}[5m]))',
                    "joules",
                ),
                unit="joule",
            ),
            graph(
                "Photos a second on each GPU's machine",
                "Beside how busy it is: what a GPU is good for.",
                (
                    'sum by (instance) (rate(nv_inference_request_success{model=~"leaf_ensemble.*"}[5m]))',
                    "{{instance}}",
                ),
                unit="reqps",
            ),
        ],
        across=2,
    )
