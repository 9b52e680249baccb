"""Addresses of other machines, as they may be shown: without passwords, tokens or signatures."""

from __future__ import annotations

import re

_USER = re.compile(r"(?<=://)[^/@\s'\"]+@")
_QUERY = re.compile(r"(?<=[\w/])\?[^\s'\"<>)]+=[^\s'\"<>)]*")


def showable(text: object) -> str:
    """Any text with the user part and the query of each address in it taken out, in one line.

    A signed address carries its signature in the query, and libraries quote addresses whole in their errors.
    """
    return " ".join(_QUERY.sub("", _USER.sub("", str(text))).split())


def reason(error: BaseException) -> str:
    """What an error of a library says, fit to be shown within a sentence; its type where it says nothing."""
    return showable(error)[:300].rstrip(". ") or type(error).__name__
