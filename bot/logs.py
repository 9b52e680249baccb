"""Structured logs: one JSON object a line, or coloured text where a person watches a terminal.

Nothing secret belongs in them, at no level and from no library: libraries name addresses that hold the token. So every line is
masked after it was rendered, tracebacks and warnings too.
"""

import logging
import re
import sys
from collections.abc import Iterable
from types import TracebackType

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_MASK = "***"
_CREDENTIALS = re.compile(
    r"\d+(?::|%3A)[\w-]{30,}"  # a bot's token
    r"|leaf_[0-9a-f]{8}_[\w-]{20,}"  # a key of the gateway
    r"|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*"  # JSON Web Tokens
    r"|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"  # user and password in a URL
    r"|(?<=Bearer )[\w.~+/=-]{8,}",
    re.IGNORECASE,
)


class Masking:
    """A last processor that replaces what is secret in the rendered line."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = [secret for secret in secrets if secret]

    def __call__(self, _logger: WrappedLogger, _method: str, line: EventDict | str) -> str:
        """The line without the secrets, and without what looks like a credential."""
        text = str(line)
        for secret in self._secrets:
            text = text.replace(secret, _MASK)
        return _CREDENTIALS.sub(_MASK, text)


def configure_logs(level: str, secrets: Iterable[str] = ()) -> None:
    """Send structlog and the standard library's loggers to stdout in one format.

    Args:
        level: lowest level that is written, of libraries too, e.g. `info`.
        secrets: texts that are masked wherever they stand.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if sys.stdout.isatty():
        rendering: list[Processor] = [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    else:
        without_values = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        rendering = [
            structlog.processors.ExceptionRenderer(without_values),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    rendering.append(Masking(secrets))
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.captureWarnings(True)
    for name in ("httpx", "httpx2") if level == "info" else ():
        logging.getLogger(name).setLevel(logging.WARNING)  # a line for each request says nothing
    if level != "debug":
        logging.getLogger("telegram.request").setLevel(logging.CRITICAL)  # its errors are raised too, and told once
    sys.excepthook = _log_uncaught


def silence_logs() -> None:
    """Write only what a command itself says: libraries' errors may quote addresses with the token in them."""
    logging.basicConfig(handlers=[logging.NullHandler()], force=True)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    structlog.get_logger().critical("ended by an error", exc_info=(kind, error, trace))
