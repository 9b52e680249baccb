"""A start that cannot go well ends with a sentence, and never with hashes that hide nobody."""

from pathlib import Path

import pytest

from bot.database import open_database
from bot.database.alone import alone
from bot.errors import DatabaseUnreachableError, MisconfiguredError
from bot.secrets import Hashes
from bot.settings import Settings


@pytest.mark.parametrize("left", ["", "0123456789"])
def test_a_salt_that_was_cut_short_is_not_used(tmp_path: Path, left: str) -> None:
    (tmp_path / "bot-salt").write_text(left)
    with pytest.raises(MisconfiguredError, match="bot-salt holds no salt"):
        Hashes.from_settings(Settings(data_dir=tmp_path))


def test_a_lock_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "bot.db.lock").mkdir()
    with (
        pytest.raises(DatabaseUnreachableError, match=r"bot\.db\.lock cannot be written"),
        alone(open_database(f"sqlite:///{tmp_path / 'bot.db'}"), 0),
    ):
        pass


def test_less_than_one_message_a_second_is_no_pace() -> None:
    with pytest.raises(ValueError, match="messages_per_s"):
        Settings(messages_per_s=0.5)
