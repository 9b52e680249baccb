"""Settings of the bot, read from environment variables that start with `BOT_`."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

OptionalPath = Annotated[Path | None, BeforeValidator(lambda path: path or None)]


MEBIBYTE = 1024 * 1024


class Settings(BaseSettings):
    """Everything that can be set; units stand in the names (`_s` seconds)."""

    model_config = SettingsConfigDict(env_prefix="BOT_", frozen=True)

    token: SecretStr = Field(default=SecretStr(""), description="The bot's token, as Telegram's @BotFather gives it.")
    token_file: OptionalPath = Field(default=None, description="File with the same, instead of token.")
    gateway_url: str = Field(default="http://127.0.0.1:8080", description="The gateway's address.")
    gateway_key: SecretStr = Field(
        default=SecretStr(""),
        description="API key with the scopes predict and delegate; empty where the gateway is open.",
    )
    gateway_key_file: OptionalPath = Field(default=None, description="File with the same, instead of gateway_key.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="Lowest level that is written; debug shows what people send, and is not for production.",
    )

    mode: Literal["polling", "webhook"] = Field(
        default="polling", description="Ask Telegram for messages, or have Telegram bring them to webhook_url."
    )
    webhook_url: str = Field(default="", description="Public https address that leads to /telegram on http_port.")
    webhook_secret: SecretStr = Field(
        default=SecretStr(""),
        description="16 to 256 letters, digits, _ or - that Telegram sends along; needed in webhook mode.",
    )
    http_host: str = Field(default="127.0.0.1", description="Address of the webhook, /health and /metrics.")
    http_port: int = Field(
        default=0, ge=0, le=65535, description="TCP port of the same; 0 switches it off. The webhook needs it."
    )
    api_url: str = Field(default="https://api.telegram.org", description="Address of the Bot API server.")

    data_dir: Path = Field(
        default=Path("state"), description="Folder of the SQLite file and the salt; made if missing."
    )
    database_url: str = Field(
        default="",
        repr=False,  # it may hold a password
        description="sqlite:///FILE or postgresql://...; empty means bot.db in data_dir.",
    )
    salt: SecretStr = Field(
        default=SecretStr(""),
        description="At least 32 characters; hashes people's ids. Empty: made once, kept in data_dir/bot-salt.",
    )
    answer_days: int = Field(default=30, ge=1, description="Days for which the buttons below an answer work.")

    parallel_chats: int = Field(
        default=256, ge=1, le=2048, description="Chats in work at once, most of them waiting; each goes in order."
    )
    parallel_questions: int = Field(default=16, ge=1, le=128, description="Questions to the gateway at once.")
    photo_memory_bytes: int = Field(
        default=256 * MEBIBYTE,
        ge=256 * MEBIBYTE,
        description="Bytes of photos held at once; more wait with Telegram until there is room.",
    )
    album_wait_s: float = Field(
        default=1.5, ge=0, description="Seconds after the latest photo of an album until it is answered."
    )
    photos: int = Field(default=20, ge=1, description="Photos that one person may send in photos_window_s.")
    photos_window_s: int = Field(default=600, ge=60, le=86_400, description="Seconds over which they are counted.")
    patience_s: float = Field(
        default=120.0, ge=0, description="Seconds for which a busy or absent gateway is tried again for one message."
    )
    gateway_timeout_s: float = Field(default=30.0, gt=0, description="Seconds that one call of the gateway may take.")
    telegram_timeout_s: float = Field(default=20.0, gt=0, description="Seconds that one call of Telegram may take.")
    poll_s: int = Field(
        default=30, ge=1, le=50, description="Seconds that Telegram holds a question for messages open."
    )
    messages_per_s: float = Field(
        default=30.0, ge=1, description="Messages a second to all chats together; Telegram allows 30."
    )
    shutdown_grace_s: float = Field(default=20.0, ge=0, description="Seconds that work in hand gets after SIGTERM.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.token.get_secret_value() and self.token_file:
            raise ValueError("set BOT_TOKEN or BOT_TOKEN_FILE, not both")
        if self.gateway_key.get_secret_value() and self.gateway_key_file:
            raise ValueError("set BOT_GATEWAY_KEY or BOT_GATEWAY_KEY_FILE, not both")
        if 0 < len(self.salt.get_secret_value()) < LEAST_SALT_CHARACTERS:
            raise ValueError(f"BOT_SALT needs at least {LEAST_SALT_CHARACTERS} characters")
        if self.mode == "webhook":
            self._check_webhook()
        return self

    def _check_webhook(self) -> None:
        secret = self.webhook_secret.get_secret_value()
        if not self.webhook_url.startswith("https://") or not self.http_port:
            raise ValueError("webhook mode needs BOT_WEBHOOK_URL, an https:// address, and BOT_HTTP_PORT")
        allowed = secret.isascii() and secret.replace("-", "").replace("_", "").isalnum()
        if not allowed or not _LEAST_SECRET_CHARACTERS <= len(secret) <= _MOST_SECRET_CHARACTERS:
            raise ValueError("BOT_WEBHOOK_SECRET needs 16 to 256 letters, digits, _ or -")


LEAST_SALT_CHARACTERS = 32
_LEAST_SECRET_CHARACTERS = 16
_MOST_SECRET_CHARACTERS = 256


def load_settings() -> Settings:
    """Settings from the environment.

    Raises:
        pydantic.ValidationError: a value has the wrong type or range, or values contradict each other.
    """
    return Settings()
