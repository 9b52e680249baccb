"""Structured logs: one JSON object a line, or coloured text where a person watches a terminal.

Nothing secret or personal belongs in them: no header, no photo, no file name, no end user; the client's address only by
setting. Two guards stand behind that rule: tracebacks show no values of variables, and what looks like a credential is masked.
"""

import logging
import re
import sys

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_MASK = "***"
_CREDENTIALS = re.compile(
    r"leaf_[0-9a-f]{8}_[\w-]{20,}"  # API keys
    r"|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*"  # JSON Web Tokens
    r"|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"  # user and password in a URL
    r"|(?<=Bearer )[\w.~+/=-]{8,}",
    re.IGNORECASE,
)


def configure_logs(level: str) -> None:
    """Send structlog and the standard library's loggers to stdout in one format.

    Args:
        level: lowest level that is written, e.g. `info`. Libraries are never asked for `debug`: there they show what they
            parse, positions and owners of photos among it.
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
    rendering.append(_mask)
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(),  # a line in one write: several processes share the output
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    logging.basicConfig(handlers=[handler], level="INFO" if level == "debug" else level.upper(), force=True)


def _mask(_logger: WrappedLogger, _method: str, line: EventDict | str) -> str:
    """The rendered line without what looks like a credential."""
    return _CREDENTIALS.sub(_MASK, str(line))
