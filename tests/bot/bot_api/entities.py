"""`parse_mode=HTML`: text with tags becomes text and entities, or the refusal that Telegram gives."""

import html
import re
from typing import Any

from bot_api.errors import bad_request

KINDS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "tg-spoiler": "spoiler",
    "a": "text_link",
}
_TAG = re.compile(r"<(/?)([a-zA-Z0-9-]*)([^<>]*)>")
_LINK = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""")
_REFERENCE = re.compile(r"&(?:#\d+|#x[0-9a-fA-F]+|lt|gt|amp|quot);")


def units(text: str) -> int:
    """Length in UTF-16 code units, in which Telegram counts."""
    return len(text.encode("utf-16-le")) // 2


def parse(text: str, parse_mode: str) -> tuple[str, list[dict[str, Any]]]:
    """Text without surrounding space, and its entities.

    Raises:
        ApiError: the markup is broken, or the mode is none that this server knows.
    """
    if not parse_mode:
        return text.strip(), []
    if parse_mode.lower() != "html":
        raise bad_request("unsupported parse_mode")
    plain, entities = _Parser(text).run()
    lead = units(plain) - units(plain.lstrip())
    plain = plain.strip()
    return plain, _within(entities, lead, units(plain))


def _within(entities: list[dict[str, Any]], lead: int, length: int) -> list[dict[str, Any]]:
    kept = []
    for entity in entities:
        start = max(0, entity["offset"] - lead)
        end = min(length, entity["offset"] + entity["length"] - lead)
        if end > start:
            kept.append({**entity, "offset": start, "length": end - start})
    return sorted(kept, key=lambda entity: (entity["offset"], -entity["length"]))


class _Parser:
    def __init__(self, source: str) -> None:
        self.source = source
        self.plain = ""
        self.entities: list[dict[str, Any]] = []
        self.open: list[tuple[str, int, dict[str, Any]]] = []

    def run(self) -> tuple[str, list[dict[str, Any]]]:
        at = 0
        while (start := self.source.find("<", at)) >= 0:
            self.add(self.source[at:start])
            found = _TAG.match(self.source, start)
            if found is None:
                raise self.broken("Unclosed start tag", start)
            if found[1]:
                self.close(found[2].lower(), start)
            else:
                self.begin(found[2].lower(), found[3], start)
            at = found.end()
        self.add(self.source[at:])
        if self.open:
            raise bad_request(
                f"can't parse entities: Can't find end tag corresponding to start tag \"{self.open[-1][0]}\""
            )
        return self.plain, self.entities

    def add(self, raw: str) -> None:
        self.plain += _REFERENCE.sub(lambda found: html.unescape(found[0]), raw)

    def begin(self, tag: str, attributes: str, at: int) -> None:
        more: dict[str, Any] = {}
        if tag == "span" and "tg-spoiler" in attributes:
            kind = "spoiler"
        elif tag in KINDS:
            kind = KINDS[tag]
        else:
            raise self.broken(f'Unsupported start tag "{tag}"', at)
        if tag == "a":
            link = _LINK.search(attributes)
            more["url"] = html.unescape(next(filter(None, link.groups()), "")) if link else ""
        self.open.append((tag, units(self.plain), {"type": kind, **more}))

    def close(self, tag: str, at: int) -> None:
        if not self.open:
            raise self.broken("Unexpected end tag", at)
        name, start, entity = self.open.pop()
        if tag not in ("", name):
            raise self.broken("Unmatched end tag", at, f', expected "</{name}>", found "</{tag}>"')
        length = units(self.plain) - start
        if length and entity.get("url") != "":
            self.entities.append({**entity, "offset": start, "length": length})

    def broken(self, words: str, at: int, more: str = "") -> Exception:
        offset = len(self.source[:at].encode())
        return bad_request(f"can't parse entities: {words} at byte offset {offset}{more}")
