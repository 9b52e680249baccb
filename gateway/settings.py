"""Settings of the gateway, read from environment variables that start with `GATEWAY_`."""

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MEBIBYTE = 1024 * 1024


class Settings(BaseSettings):
    """Everything that can be set; units stand in the names (`_s` seconds, `_bytes` bytes)."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", frozen=True)

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8080, ge=0, le=65535, description="TCP port to listen on.")
    triton_url: str = Field(default="127.0.0.1:8001", description="Triton's gRPC address, host:port.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Lowest level that is written."
    )

    poll_interval_s: float = Field(
        default=1.0, gt=0, description="Seconds between two looks at Triton's repository index."
    )
    probe_interval_s: float = Field(
        default=10.0, gt=0, description="Seconds without an answer before one is probed; each probe costs an inference."
    )
    probe_max_age_s: float = Field(default=25.0, gt=0, description="Readiness needs an answer this recent, seconds.")

    receive_timeout_s: float = Field(default=30.0, gt=0, description="Seconds a client may take to send its upload.")
    queue_timeout_s: float = Field(default=3.0, gt=0, description="Seconds a request may wait in a queue of Triton.")
    infer_timeout_s: float = Field(
        default=4.0, gt=0, description="Deadline of one gRPC call, seconds; above queue_timeout_s."
    )
    request_deadline_s: float = Field(
        default=4.8, gt=0, description="Seconds from the last byte received to the answer; above infer_timeout_s."
    )
    shutdown_grace_s: int = Field(default=30, ge=0, description="Seconds that running requests get after SIGTERM.")

    max_in_flight: int = Field(default=128, ge=1, description="Predictions in work at once; more are answered 503.")
    upload_buffer_bytes: int = Field(
        default=48 * MEBIBYTE, ge=MEBIBYTE, description="Bytes of uploads held at once; more are answered 503."
    )
    check_threads: int = Field(default=2, ge=1, description="Threads that check whether uploads decode.")
    decode_memory_bytes: int = Field(
        default=450 * MEBIBYTE,
        ge=MEBIBYTE,
        description="Bytes that all decodes together may use; an image that alone needs more is refused.",
    )

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
