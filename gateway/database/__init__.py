"""The gateway's database: one schema for SQLite, PostgreSQL and SQL Server, and how it comes to be."""

from gateway.database.engine import database_url, open_database, write
from gateway.database.upgrading import upgrade

__all__ = ["database_url", "open_database", "upgrade", "write"]
