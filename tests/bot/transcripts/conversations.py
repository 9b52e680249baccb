"""The conversations: who, in which language, and what is done."""

from collections.abc import Callable
from dataclasses import dataclass

from transcripts import photographs
from transcripts.writing_down import Scene

GROUP = -1_001_900_000_001


@dataclass(frozen=True)
class Conversation:
    """One of them.

    Attributes:
        title: says what happens.
        name: of the person.
        language: that the person's phone speaks.
        play: does what the person does.
        in_group: whether others are there too.
    """

    title: str
    name: str
    language: str
    play: Callable[[Scene], None]
    in_group: bool = False


def first_photo(scene: Scene) -> None:
    """From the first word to a thank-you; the first photo leaves doubts."""
    scene.writes("/start")
    scene.sends_photo("leaf.jpg", photographs.LEAF)
    scene.sends_photo("close.jpg", photographs.close())
    scene.presses("✅")


def wrong_answer(scene: Scene) -> None:
    """The farmer knows better, and lets the photo be kept."""
    scene.sends_photo("below.jpg", photographs.below())
    scene.presses("❌")
    scene.presses("Mosaic")
    scene.presses("Ndiyo")


def album(scene: Scene) -> None:
    """Several leaves of one plant, one of them late."""
    scene.sends_album({"leaf-1.jpg": photographs.LEAF, "leaf-2.jpg": photographs.mirrored()})
    scene.sends_late("leaf-3.jpg", photographs.close())


def languages(scene: Scene) -> None:
    """Another language than the phone's."""
    scene.writes("/language")
    scene.presses("Kiswahili")
    scene.writes("/classes")


def no_leaf(scene: Scene) -> None:
    """A picture of something else."""
    scene.sends_photo("carpet.jpg", photographs.no_leaf())


def bad_photo(scene: Scene) -> None:
    """Too dark and blurred, then a better one."""
    scene.sends_photo("dusk.jpg", photographs.dark())
    scene.sends_photo("below.jpg", photographs.below())
    scene.presses("🤔")


def everything_but_a_photo(scene: Scene) -> None:
    """Words, a voice message, a sticker, a question for help."""
    scene.writes("Mihogo yangu ina madoa")
    scene.sends("voice")
    scene.sends("sticker")
    scene.writes("/help")


def files(scene: Scene) -> None:
    """Files that cannot be used, then one that can."""
    scene.sends_file("drone.tif", b"much", size=45 * 2**20)
    scene.sends_file("leaf.jpg", photographs.LEAF[:2000])
    scene.sends_file("leaf.jpg", photographs.LEAF)


def group(scene: Scene) -> None:
    """In a group the bot speaks when it is spoken to."""
    scene.writes("Good morning all, has anybody seen leaves like this?", heard=False)
    photo = scene.sends_photo("close.jpg", photographs.close(), heard=False)
    scene.writes("@leaf_doctor_bot what is this?", reply_to=photo)


def privacy(scene: Scene) -> None:
    """What is remembered, and how to end that."""
    scene.writes("/privacy")
    scene.sends_photo("leaf.jpg", photographs.LEAF)
    scene.writes("/forget")
    scene.presses("🤔")


CONVERSATIONS = (
    Conversation("A first photo", "Grace", "en", first_photo),
    Conversation("The answer is wrong", "Amina", "sw", wrong_answer),
    Conversation("An album, and a photo that comes late", "Awa", "fr", album),
    Conversation("Another language than the phone's", "João", "pt-BR", languages),
    Conversation("No leaf at all", "Chidi", "en", no_leaf),
    Conversation("A photo at dusk", "Moussa", "fr", bad_photo),
    Conversation("Everything but a photo", "Juma", "sw", everything_but_a_photo),
    Conversation("Files that cannot be used", "Inês", "pt", files),
    Conversation("In a group", "Ngozi", "en", group, in_group=True),
    Conversation("What is remembered", "Hadiza", "ha", privacy),
)
