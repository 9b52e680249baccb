"""Settings of the gateway, read from environment variables that start with `GATEWAY_`."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import limits
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

MEBIBYTE = 1024 * 1024


def _split(value: Any) -> Any:
    """`a, b` as it is written in an environment variable."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _rate(value: str) -> str:
    try:
        limits.parse(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is no rate; write it as 60/minute, 5/second or 1000/day") from error
    return value


def _folder(value: Path | None) -> Path | None:
    if value is not None and not value.is_dir():
        raise ValueError(f"{value} is no folder on this machine; name the model repository's, or leave it unset")
    return value


CommaSeparated = (NoDecode, BeforeValidator(_split))
Rate = Annotated[str, AfterValidator(_rate)]


class Settings(BaseSettings):
    """Everything that can be set; units stand in the names (`_s` seconds, `_bytes` bytes)."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", frozen=True)

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8080, ge=0, le=65535, description="TCP port to listen on.")
    triton_url: str = Field(default="127.0.0.1:8001", description="Triton's gRPC address, host:port.")
    triton_control_header: SecretStr = Field(
        default=SecretStr(""),
        description="name:secret of Triton's restricted API (--grpc-restricted-protocol=model-repository:name=secret), sent "
        "only where models are loaded, unloaded or listed.",
    )
    model_repository: Annotated[Path | None, BeforeValidator(lambda path: path or None), AfterValidator(_folder)] = (
        Field(
            default=None,
            description="Triton's model repository as this machine sees it: for moving a refused release out of the way, and "
            "for prune.",
        )
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Lowest level that is written."
    )

    poll_interval_s: float = Field(
        default=1.0, gt=0, description="Seconds between two looks at Triton's repository index."
    )
    task: str = Field(
        default="",
        max_length=80,
        description="Task whose route is followed, where gateways of several tasks share a database; empty: the route that "
        "was changed last.",
    )
    route_interval_s: float = Field(
        default=0.5,
        gt=0,
        le=1.5,
        description="Seconds between two looks at the route; all have followed it within 2 s.",
    )
    load_timeout_s: float = Field(
        default=600.0, gt=0, description="Seconds that Triton may take to load and warm up a release."
    )
    shadow_duty: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="Share of the time in which a shadow release may compute, in each process; other photos it does not see.",
    )
    guard_error_percent: float = Field(
        default=0.0,
        ge=0,
        lt=100,
        description="Failed photos in percent above which a new release is taken back by itself; 0: never.",
    )
    guard_refusal_percent: float = Field(
        default=0.0, ge=0, lt=100, description="The same for photos that it rejects; 0: never."
    )
    guard_photos: int = Field(default=50, ge=1, description="Photos that a release must have seen to be judged.")
    guard_window_s: float = Field(default=300.0, gt=0, description="Seconds that are looked back.")
    guard_watch_s: float = Field(
        default=3600.0,
        gt=0,
        description="Seconds after a change in which the stable release is watched; a candidate always.",
    )
    probe_interval_s: float = Field(
        default=10.0, gt=0, description="Seconds without an answer before one is probed; each probe costs an inference."
    )
    probe_max_age_s: float = Field(default=25.0, gt=0, description="Readiness needs an answer this recent, seconds.")

    receive_timeout_s: float = Field(
        default=30.0,
        gt=0,
        description="Seconds a client may take to send its upload; more at receive_min_bytes_per_s while the buffer has room.",
    )
    receive_min_bytes_per_s: int = Field(
        default=2048, ge=1, description="Bytes a second that earn an upload more time: 2048 suit a phone on 2G."
    )
    receive_stall_s: float = Field(
        default=10.0, gt=0, description="Seconds without a byte of an upload after which it is given up."
    )
    queue_timeout_s: float = Field(
        default=3.0,
        gt=0,
        description="Seconds a request may wait in a queue of Triton; where photos take longer than 75 % of it, fewer are "
        "let in.",
    )
    infer_timeout_s: float = Field(
        default=4.0, gt=0, description="Deadline of one gRPC call, seconds; above queue_timeout_s."
    )
    request_deadline_s: float = Field(
        default=4.8, gt=0, description="Seconds from the last byte received to the answer; above infer_timeout_s."
    )
    shutdown_grace_s: int = Field(default=30, ge=0, description="Seconds that running requests get after SIGTERM.")

    drain_notice_s: float = Field(
        default=0.0,
        ge=0,
        description="Seconds after SIGTERM in which photos are still taken while /health/ready says 503, so that a load "
        "balancer looks elsewhere first.",
    )
    workers: int = Field(
        default=1, ge=1, le=64, description="Processes that answer; limits of work and memory hold for each of them."
    )
    metrics_port: int = Field(
        default=0, ge=0, le=65535, description="TCP port of Prometheus's /metrics, off when 0; not for the public."
    )
    metrics_host: str = Field(default="127.0.0.1", description="Address of /metrics.")
    log_addresses: bool = Field(
        default=False, description="Whether the log names the client's address, which is personal data."
    )
    otlp_endpoint: str = Field(
        default="",
        description="OTLP receiver of traces by gRPC: host:port, or https://host:port; empty traces nothing.",
    )
    trace_share: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Share of requests traced; a caller's traceparent names the trace, and may keep a request out of it.",
    )

    max_in_flight: int = Field(
        default=128,
        ge=1,
        description="Photos in work at once; more are answered 503, as are those that would not be answered in time.",
    )
    group_in_flight: int = Field(
        default=4,
        ge=1,
        le=16,
        description="Photos of one batch or diagnosis in work at once; the others wait their turn.",
    )
    group_max_bytes: int = Field(
        default=32 * MEBIBYTE, ge=MEBIBYTE, description="Bytes of all photos of one batch or diagnosis together."
    )
    group_deadline_s: float = Field(
        default=20.0,
        gt=0,
        description="Seconds from the last byte of a batch or diagnosis to its answer; at least request_deadline_s.",
    )
    upload_buffer_bytes: int = Field(
        default=48 * MEBIBYTE,
        ge=MEBIBYTE,
        description="Bytes of uploads held at once; more are answered 503. One caller gets a quarter, or group_max_bytes.",
    )
    check_threads: int = Field(default=2, ge=1, description="Threads that check whether uploads decode.")
    decode_memory_bytes: int = Field(
        default=450 * MEBIBYTE,
        ge=MEBIBYTE,
        description="Bytes that all decodes together may use; an image that alone needs more is refused.",
    )
    reduce_above_pixels: int = Field(
        default=8 * 1024 * 1024,
        ge=1024 * 1024,
        description="Images of more pixels, such as a phone's 12 million, are made smaller before Triton decodes them: that "
        "halves their cost, and the answer stays the same.",
    )

    data_dir: Path = Field(
        default=Path("state"), description="Folder of the SQLite file, kept photos and the secret; made if missing."
    )
    database_url: str = Field(
        default="",
        repr=False,  # it may hold a password
        description="sqlite:///FILE, postgresql://... or mssql://...; empty means gateway.db in data_dir.",
    )
    flush_interval_s: float = Field(
        default=0.2, gt=0, description="Seconds between two writes of predictions to the database."
    )
    record_queue: int = Field(
        default=20_000,
        ge=1,
        description="Predictions that wait for the database at most; more are dropped and counted.",
    )
    record_queue_bytes: int = Field(
        default=64 * MEBIBYTE,
        ge=MEBIBYTE,
        description="Bytes of photos that wait to be kept at most; more are not kept and counted.",
    )
    record_close_s: float = Field(
        default=10.0, ge=0, description="Seconds that the last predictions get to reach the database at the end."
    )
    keep_photos: Literal["always", "consent", "never"] = Field(
        default="consent", description="Whether photos are kept: each, those whose sender agrees, or none."
    )
    photos_min_free_bytes: int = Field(
        default=2048 * MEBIBYTE,
        ge=0,
        description="Bytes that stay free on the disk of kept photos; below it none is kept, and each is counted as dropped.",
    )
    retention_days: int = Field(
        default=365, ge=0, description="Days that predictions, feedback and photos are kept; 0 keeps them for ever."
    )

    auth: Literal["auto", "open", "required"] = Field(
        default="auto",
        description="Who may ask without a credential: on a loopback host anybody, and this machine may do everything (open); "
        "nobody (required); or on a loopback host anybody, predictions only, until a key was made, tokens were set up or "
        "proxies named (auto).",
    )
    secret: SecretStr = Field(
        default=SecretStr(""),
        description="At least 32 characters; signs page tokens, hashes clients. Empty: made once, kept in data_dir/secret. "
        "Several machines need the same.",
    )
    keys_interval_s: float = Field(
        default=1.0, gt=0, le=1.5, description="Seconds between two looks at the keys; a revoked one ends within 2 s."
    )
    jwt_algorithm: Literal["", "HS256", "RS256"] = Field(
        default="", description="Algorithm of the JSON Web Tokens that are accepted, no other; empty accepts none."
    )
    jwt_key: SecretStr = Field(
        default=SecretStr(""), description="Shared secret (HS256, at least 32 bytes) or public key in PEM (RS256)."
    )
    jwt_key_file: Annotated[Path | None, BeforeValidator(lambda path: path or None)] = Field(
        default=None, description="File with the same, instead of jwt_key."
    )
    jwt_issuer: str = Field(default="", description="`iss` that tokens must carry.")
    jwt_audience: str = Field(default="", description="`aud` that tokens must carry.")
    jwt_leeway_s: float = Field(default=10.0, ge=0, le=120, description="Seconds that clocks may differ.")
    page: bool = Field(default=True, description="Serve the public page at /, and give it its tokens.")
    dashboard: bool = Field(default=True, description="Serve the operators' dashboard at /dashboard and its figures.")
    page_token_s: int = Field(default=600, ge=30, le=86_400, description="Seconds that a token of the page is valid.")
    rate_limit: Rate = Field(
        default="120/minute", description="Photos of one end user, key or token subject, such as 60/minute."
    )
    page_rate_limit: Rate = Field(default="20/minute", description="Photos from one address by way of the page.")
    request_rate_limit: Rate = Field(
        default="300/minute",
        description="Requests for all but photos: of one end user, key or token subject, or from one address by way of the page.",
    )
    auth_failure_limit: Rate = Field(default="20/minute", description="Invalid credentials from one address.")
    redis_url: SecretStr = Field(
        default=SecretStr(""),
        description="redis://... where workers or machines share the limits; empty counts in each process.",
    )
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], *CommaSeparated] = Field(
        default=(), description="Networks of the proxies in front, comma-separated; only they may name the client."
    )
    forwarded_header: Literal["X-Forwarded-For", "Forwarded"] = Field(
        default="X-Forwarded-For", description="The field in which those proxies name the client; the other is ignored."
    )
    cors_origins: Annotated[tuple[str, ...], *CommaSeparated] = Field(
        default=(), description="Origins whose pages may call the API, comma-separated, such as https://example.org."
    )

    @field_validator("triton_control_header")
    @classmethod
    def _names_a_header(cls, value: SecretStr) -> SecretStr:
        name, colon, secret = value.get_secret_value().partition(":")
        if value.get_secret_value() and not (name and colon and secret):
            raise ValueError("write it as name:secret")
        return value

    @model_validator(mode="after")
    def _deadlines_nest(self) -> Self:
        """An inner deadline has to fire first, or its clearer answer is never seen."""
        if not self.queue_timeout_s < self.infer_timeout_s < self.request_deadline_s:
            raise ValueError("deadlines must nest: queue_timeout_s < infer_timeout_s < request_deadline_s")
        if self.probe_interval_s >= self.probe_max_age_s:
            raise ValueError("probe_interval_s must be below probe_max_age_s, or readiness flickers")
        return self


def load_settings() -> Settings:
    """Settings from the environment.

    Raises:
        pydantic.ValidationError: a value has the wrong type, range or order.
    """
    return Settings()
