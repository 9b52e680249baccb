"""Reads the code out of a page: fenced blocks with their language, and commands between backticks."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`((?:make|python3?|docker|kubectl|helm) [^`]+)`")
_BETWEEN = {"&&", "||", "|", ";", "&"}
_ASSIGNMENT = re.compile(r"([A-Z_][A-Z0-9_]*)=(.*)", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    number: int
    language: str
    text: str

    @property
    def name(self) -> str:
        """To find it again."""
        return f"{self.page}:{self.number}"


@dataclass(frozen=True)
class Command:
    """One command of a shell block, or one between backticks, which may be cut short."""

    where: str
    words: tuple[str, ...]
    variables: tuple[tuple[str, str], ...] = ()
    whole: bool = True


def blocks(root: Path, pages: list[Path]) -> list[Block]:
    """All fenced blocks, in order."""
    found = []
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for match in _FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            inner = re.sub(rf"^{match['indent']}", "", match["text"], flags=re.MULTILINE)
            found.append(Block(str(page.relative_to(root)), line, match["language"], inner))
    return found


def spans(root: Path, pages: list[Path]) -> list[Command]:
    """Commands between backticks, outside of blocks."""
    found = []
    for page in pages:
        text = _FENCE.sub(lambda match: "\n" * match[0].count("\n"), page.read_text(encoding="utf-8"))
        for match in _SPAN.finditer(text):
            where = f"{page.relative_to(root)}:{text.count(chr(10), 0, match.start()) + 1}"
            found += commands(where, " ".join(match[1].split()), whole=False)
    return found


def commands(where: str, text: str, whole: bool = True) -> list[Command]:
    """The simple commands of a piece of shell."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;")
        lexer.whitespace_split, lexer.commenters = True, "#"
        words: list[str] = []
        for word in [*lexer, ";"]:
            if word not in _BETWEEN:
                words.append(word)
                continue
            found += _command(where, words, whole)
            words = []
    return found


def _command(where: str, words: list[str], whole: bool) -> list[Command]:
    if words[:1] == ["export"]:
        words = words[1:]
    variables = []
    while words and (match := _ASSIGNMENT.fullmatch(words[0])):
        variables.append((match[1], match[2]))
        words = words[1:]
    return [Command(where, tuple(words), tuple(variables), whole)] if words or variables else []
