"""Plays a conversation."""

from messenger import Messenger

from transcripts.conversations import GROUP, Conversation
from transcripts.writing_down import Scene

ALBUM_WAIT_S = 1.5


def played(messenger: Messenger, number: int, conversation: Conversation) -> list[str]:
    """What was to be seen, line by line."""
    person = messenger.person(900_000 + number, language=conversation.language, first_name=conversation.name)
    where = person.in_group(GROUP) if conversation.in_group else person
    scene = Scene(messenger, conversation.name, where, ALBUM_WAIT_S)
    conversation.play(scene)
    return scene.lines
