"""`python -m transcripts`: plays the conversations on the demo's stack and prints the page."""

import sys
import tempfile
from pathlib import Path

from bot_process import running_bot
from demo_stack import running_stack
from messenger import running_messenger

from transcripts.conversations import CONVERSATIONS
from transcripts.page import page
from transcripts.playing import played


def main() -> None:
    """Print docs/conversations.md."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            running_stack(folder) as stack,
            running_messenger(folder / "messenger.log") as messenger,
            running_bot(messenger, stack.url, folder / "bot", album_wait_s=1.5),
        ):
            lines = [played(messenger, number, one) for number, one in enumerate(CONVERSATIONS, 1)]
    sys.stdout.write(page(lines))


main()
