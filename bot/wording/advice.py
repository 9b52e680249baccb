"""The release's advice, as far as it may be passed on, and its source."""

import re
from html import escape

_UNITS = (
    r"mg|g|kg|ml|cl|dl|l|cc|oz|ppm|grams?|grammes?|gramas?|gramos?|gramu|kilos?|"
    r"lit(?:re|er)s?|litros?|lita|millilit(?:re|er)s?|mililitros?|mililita|"
    r"tea ?spoons?|table ?spoons?|spoons?|caps?(?:ful)?s?|cuillères?|colher(?:es)?|vijiko|kijiko|cokali|ṣíbí"
)
_AMOUNT_FIRST = re.compile(rf"\d\s*(?:{_UNITS})\b", re.IGNORECASE)
_UNIT_FIRST = re.compile(r"\b(?:lita|mililita|gramu|kilo|vijiko|kijiko|cokali|MB)\s+\d", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_LINKED = re.compile(r"(?P<title>.+?),?\s*(?P<url>https?://[^\s;]+)")


def without_doses(advice: str) -> str:
    """The advice without any sentence that names an amount of something: the bot never passes on a dose."""
    sentences = _SENTENCE.split(advice.strip())
    return " ".join(part for part in sentences if not (_AMOUNT_FIRST.search(part) or _UNIT_FIRST.search(part)))


def cited(source: str) -> str:
    """The source in Telegram's HTML: titles, separated by semicolons, carry the address that follows them as a link."""
    return "; ".join(_cited_one(part) for part in source.split("; "))


def _cited_one(part: str) -> str:
    linked = _LINKED.fullmatch(part)
    if linked is None:
        return escape(part, quote=False)
    return f'<a href="{escape(linked["url"])}">{escape(linked["title"], quote=False)}</a>'
