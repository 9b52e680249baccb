"""docs/bot.md lists what can be set, as the command prints it."""

from pathlib import Path

from bot.commands.settings import table
from bot.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "bot.md"


def test_the_page_lists_what_can_be_set() -> None:
    said = PAGE.read_text(encoding="utf-8")
    assert said.endswith(table() + "\n"), "run: make docs"


def test_every_setting_says_what_it_does() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
