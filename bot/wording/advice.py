"""The release's advice, as far as it may be passed on, and its source."""

import re
from html import escape

_UNITS = (
    r"mg|g|kg|ml|cl|dl|l|cc|oz|ppm|grams?|grammes?|gramas?|gramos?|gramu|kilos?|"
    r"lit(?:re|er)s?|litros?|lita|millilit(?:re|er)s?|mililitros?|mililita|"
    r"tea ?spoons?|table ?spoons?|spoons?|caps?(?:ful)?s?|cuillères?|colher(?:es)?|vijiko|kijiko|cokali|ṣíbí"
)
_AMOUNT_FIRST = re.compile(rf"\d\s*(?:{_UNITS})\b", re.IGNORECASE)
_UNIT_FIRST = re.compile(r"\b(?:lita|mililita|gramu|kilo|vijiko|kijiko|cokali)\s+\d", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_PAPER = re.compile(r"[^,;]+\(\d{4}\)")  # Hillocks & Jennings (2003)
_LINKED = re.compile(r"(?P<title>.+?),?\s*(?P<url>https?://[^\s;]+)")


def without_doses(advice: str) -> str:
    """The advice without any sentence that names an amount of something: the bot never passes on a dose."""
    sentences = _SENTENCE.split(advice.strip())
    return " ".join(part for part in sentences if not (_AMOUNT_FIRST.search(part) or _UNIT_FIRST.search(part)))


def cited(source: str) -> str:
    """The source in Telegram's HTML, short enough for a caption.

    Titles are separated by semicolons. One that is followed by its address becomes a link, and of a paper with an address
    only authors and year are left: the rest stands where the link leads.
    """
    return "; ".join(_cited_one(part) for part in source.split("; "))


def _cited_one(part: str) -> str:
    linked = _LINKED.fullmatch(part)
    if linked is None:
        return escape(part, quote=False)
    paper = _PAPER.match(linked["title"])
    title = paper[0] if paper else linked["title"]
    return f'<a href="{escape(linked["url"])}">{escape(title, quote=False)}</a>'
