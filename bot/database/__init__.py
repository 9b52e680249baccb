"""The bot's database: one schema for SQLite and PostgreSQL, and how it comes to be."""

from bot.database.engine import database_url, open_database, write
from bot.database.upgrading import upgrade

__all__ = ["database_url", "open_database", "upgrade", "write"]
