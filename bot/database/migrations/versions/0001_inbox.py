"""Updates, people, answers."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "updates",
        sa.Column("update_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("received_at", sa.DateTime(), nullable=False),
        sa.Column("lane", sa.String(length=40), nullable=True),
        sa.Column("album", sa.String(length=64), nullable=True),
        sa.Column("content", sa.Text(), nullable=True),
        sa.Column("due_at", sa.DateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("person", sa.String(length=64), nullable=True),
        sa.Column("admitted", sa.Boolean(create_constraint=False), nullable=True),
        sa.Column("done_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("update_id", name="pk_updates"),
    )
    to_do = sa.text("done_at IS NULL")
    op.create_index("ix_updates_to_do", "updates", ["lane", "update_id"], sqlite_where=to_do, postgresql_where=to_do)
    op.create_index("ix_updates_album", "updates", ["lane", "album"])
    op.create_index("ix_updates_person_received_at", "updates", ["person", "received_at"])
    op.create_index("ix_updates_received_at", "updates", ["received_at"])
    op.create_table(
        "people",
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("chosen_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("person", name="pk_people"),
    )
    op.create_table(
        "answers",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("prediction_ids", sa.JSON(), nullable=False),
        sa.Column("first_photo", sa.String(length=32), nullable=True),
        sa.Column("class_keys", sa.JSON(), nullable=False),
        sa.Column("verdict", sa.String(length=8), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_answers"),
    )
    op.create_index("ix_answers_created_at", "answers", ["created_at"])
    op.create_index("ix_answers_person", "answers", ["person"])


def downgrade() -> None:
    """Undo."""
    op.drop_table("answers")
    op.drop_table("people")
    op.drop_table("updates")
