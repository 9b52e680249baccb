"""Run by Alembic: applies migrations on the connection that `bot.database.upgrading` hands over."""

from alembic import context

from bot.database.schema import metadata

connection = context.config.attributes.get("connection")
if connection is None:  # `alembic upgrade --sql`: only print
    context.configure(dialect_name=context.config.get_main_option("dialect"), target_metadata=metadata)
else:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
