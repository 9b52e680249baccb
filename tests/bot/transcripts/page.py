"""docs/conversations.md from what was seen."""

from collections.abc import Sequence

from bot.wording.catalogue import Catalogue
from transcripts.conversations import CONVERSATIONS, Conversation

HEAD = """# Ten conversations with the bot

As a person sees them: bubbles as text, buttons in brackets, pictures by their names. Written by `make transcripts`, which
runs the unmodified bot on the demo's stack. The demo release is small and weak ([model card](../demo/MODEL_CARD.md)): the
conversations show the path, not the quality of diagnoses. `leaf.jpg` is `demo/leaf.jpg`, a drawn leaf; the other pictures
are parts of it or made from it, and the carpet is coloured noise. The release speaks English and French; the bot's own
texts in other languages than English have not been reviewed by speakers yet.
"""


def page(seen: Sequence[list[str]]) -> str:
    """The whole page."""
    parts = enumerate(zip(CONVERSATIONS, seen, strict=True), 1)
    return "\n".join([HEAD, *(section(number, conversation, lines) for number, (conversation, lines) in parts)])


def section(number: int, conversation: Conversation, lines: list[str]) -> str:
    """One conversation."""
    title = f"## {number}. {conversation.title} ({language(conversation)})"
    return "\n".join([title, "", "```text", *lines[:-1], "```", ""])


def language(conversation: Conversation) -> str:
    """Its own name."""
    return Catalogue.name(Catalogue.load().texts(conversation.language).language)
