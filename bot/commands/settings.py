"""`python -m bot settings`: every setting, as the Markdown table of docs/bot.md."""

import typer
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bot.settings import Settings


def settings() -> None:
    """Print all settings with their defaults; nothing is read from the environment."""
    typer.echo(table())


def table() -> str:
    """One row a setting: environment variable, default, what it does."""
    rows = ["| variable | default | what it does |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        rows.append(f"| `BOT_{name.upper()}` | {_default(field)} | {field.description} |")
    return "\n".join(rows)


def _default(field: FieldInfo) -> str:
    value = field.get_default()
    if value is PydanticUndefined or value in (None, ()) or str(value) == "":
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
