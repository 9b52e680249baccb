"""Telegram's HTML; what goes in is HTML already."""

import re
from collections.abc import Sequence
from html import unescape

_TAG = re.compile(r"<[^>]*>")


def bold(html: str) -> str:
    """Bold."""
    return f"<b>{html}</b>"


def italic(html: str) -> str:
    """Italic."""
    return f"<i>{html}</i>"


def listed(lines: Sequence[str]) -> str:
    """One line each, with bullets."""
    return "\n".join(f"• {line}" for line in lines)


def units(html: str) -> int:
    """Length as Telegram counts it: UTF-16 units of what is read, without the tags."""
    return len(unescape(_TAG.sub("", html)).encode("utf-16-le")) // 2
