"""The model: what a load takes, and where one machine ends.

Measured figures come from measured.json beside this file, which the benchmarks' JSON goes into; all else is an assumption,
named in `Assumptions` with where it is from. Loads are peaks; each part is planned to be `busy` at most.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

LOADS = (10.0, 100.0, 1000.0, 10_000.0)
SIZES = ("2", "12")
_DAY_S = 86_400
_HOURS_A_MONTH = 730
_GIGA = 1e9
_GATEWAY_REDUCES_MEGAPIXELS = 8.4
"""GATEWAY_REDUCE_ABOVE_PIXELS: larger JPEGs reach Triton at half their sides."""


@dataclass(frozen=True)
class Assumptions:
    """What has not been measured here; set what you know better."""

    busy: float = dataclasses.field(default=0.6, metadata={"says": "share of its capacity that a part is planned for"})
    mean_to_peak: float = dataclasses.field(default=0.3, metadata={"says": "a day's mean load, of the peak"})
    retention_days: int = dataclasses.field(default=365, metadata={"says": "days that predictions are kept"})
    kept_share: float = dataclasses.field(
        default=0.02, metadata={"says": "of the photos, whose senders let them be kept"}
    )
    gpu_photos_per_second: float = dataclasses.field(
        default=520.0,
        metadata={
            "says": "the pair on one GPU: an RTX 4090 running both in PyTorch with AMP, from timm's published tables"
        },
    )
    gpu_decode_megapixels_per_second: float = dataclasses.field(
        default=2400.0, metadata={"says": "JPEG decoding on one GPU: DALI on an A6000, as a public project reports it"}
    )
    database_rows_per_second: float = dataclasses.field(
        default=5000.0, metadata={"says": "rows that one PostgreSQL takes in batches beside its readers"}
    )
    database_comfortable_gb: float = dataclasses.field(
        default=1000.0, metadata={"says": "size above which one unpartitioned table becomes a burden"}
    )
    network_gbit_per_second: float = dataclasses.field(default=10.0, metadata={"says": "of one machine"})
    gpu_hour: float = dataclasses.field(default=0.80, metadata={"says": "price of one GPU's machine, dollars an hour"})
    core_hour: float = dataclasses.field(default=0.04, metadata={"says": "price of one core, dollars an hour"})
    gb_month: float = dataclasses.field(
        default=0.10, metadata={"says": "price of storage, dollars a gigabyte and month"}
    )


@dataclass(frozen=True)
class Plan:
    """What a load takes; money in dollars a month."""

    photos_per_second: float
    megapixels: str
    gpus: int
    gateway_cores: int
    incoming_gbit_per_second: float
    rows_a_day: float
    rows_gb: float
    kept_photos_gb: float
    compute_dollars_a_month: float
    storage_dollars_a_month: float
    cpu_only_cores: int


def plan(measured: dict[str, Any], given: Assumptions, rate: float, size: str) -> Plan:
    """What `rate` photos a second of `size` megapixels take, one spare of what may fail included.

    Args:
        measured: as in deploy/measured.json.
        size: a key of `measured["gateway"]["cpu_ms"]`.
    """
    computing = rate / given.gpu_photos_per_second
    decoding = rate * _reaches_triton(size) / given.gpu_decode_megapixels_per_second
    gpus = math.ceil(max(computing, decoding) / given.busy) + 1
    cores = max(2, math.ceil(rate * measured["gateway"]["cpu_ms"][size] / 1000 / given.busy)) + 2
    photo_bytes = measured["gateway"]["photo_bytes"][size]
    rows_a_day = rate * given.mean_to_peak * _DAY_S
    rows_gb = rows_a_day * given.retention_days * measured["database"]["bytes_per_row"] / _GIGA
    kept_gb = rows_a_day * given.retention_days * given.kept_share * photo_bytes / _GIGA
    engine = measured["cpu_engine"]
    hours = _HOURS_A_MONTH * (gpus * given.gpu_hour + cores * given.core_hour)
    return Plan(
        photos_per_second=rate,
        megapixels=size,
        gpus=gpus,
        gateway_cores=cores,
        incoming_gbit_per_second=rate * photo_bytes * 8 / _GIGA,
        rows_a_day=rows_a_day,
        rows_gb=rows_gb,
        kept_photos_gb=kept_gb,
        compute_dollars_a_month=hours,
        storage_dollars_a_month=(rows_gb + kept_gb) * given.gb_month,
        cpu_only_cores=math.ceil(rate / (engine["photos_per_second"] / engine["cores"]) / given.busy),
    )


def _reaches_triton(size: str) -> float:
    """Megapixels that Triton decodes, after the gateway has made very large photos smaller."""
    megapixels = float(size)
    return megapixels / 4 if megapixels > _GATEWAY_REDUCES_MEGAPIXELS else megapixels


@dataclass(frozen=True)
class Limit:
    """What one machine with one GPU and two gateway processes can do of one thing."""

    name: str
    photos_per_second: float
    change: str


def limits(measured: dict[str, Any], given: Assumptions, size: str) -> list[Limit]:
    """Each part's own limit, the lowest first."""
    year_rows_gb = given.mean_to_peak * _DAY_S * given.retention_days * measured["database"]["bytes_per_row"] / _GIGA
    found = [
        Limit(
            "the gateway's processes (2)",
            2 * 1000 / measured["gateway"]["cpu_ms"][size],
            "more `GATEWAY_WORKERS`, then more gateways; have clients send 2 megapixels, which show as much",
        ),
        Limit("the GPU, computing", given.gpu_photos_per_second, "more GPUs: one Triton each"),
        Limit(
            "the GPU, decoding",
            given.gpu_decode_megapixels_per_second / _reaches_triton(size),
            "a lower `GATEWAY_REDUCE_ABOVE_PIXELS`, which costs the gateway time instead; more GPUs",
        ),
        Limit(
            "the database's size after the retention",
            given.database_comfortable_gb / year_rows_gb,
            "a shorter `GATEWAY_RETENTION_DAYS`; partition `predictions` by month; keep a sample of the rows",
        ),
        Limit(
            "the database's writes",
            given.database_rows_per_second,
            "one database for every few gateways, each with a task or region of its own; rows by way of a log such as Kafka",
        ),
        Limit(
            "the machine's network",
            given.network_gbit_per_second * _GIGA / 8 / measured["gateway"]["photo_bytes"][size],
            "more machines; smaller photos",
        ),
    ]
    return sorted(found, key=lambda limit: limit.photos_per_second)
