"""Routes, what changed them, who is changing them now, and what a shadow said."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mssql import DATETIME2

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TIME = sa.DateTime().with_variant(DATETIME2(), "mssql")  # type: ignore[no-untyped-call]


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "routes",
        sa.Column("task", sa.String(length=80), nullable=False),
        sa.Column("stable", sa.Integer(), nullable=False),
        sa.Column("candidate", sa.Integer(), nullable=True),
        sa.Column("candidate_share", sa.Float(), nullable=False),
        sa.Column("shadow", sa.Integer(), nullable=True),
        sa.Column("previous", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.Column("changed_by", sa.Unicode(length=160), nullable=False),
        sa.PrimaryKeyConstraint("task", name="pk_routes"),
    )
    op.create_table(
        "route_changes",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("task", sa.String(length=80), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Unicode(length=300), nullable=False),
        sa.Column("stable", sa.Integer(), nullable=False),
        sa.Column("candidate", sa.Integer(), nullable=True),
        sa.Column("candidate_share", sa.Float(), nullable=False),
        sa.Column("shadow", sa.Integer(), nullable=True),
        sa.Column("previous", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.Column("changed_by", sa.Unicode(length=160), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_route_changes"),
    )
    op.create_index("ix_route_changes_changed_at", "route_changes", ["changed_at"], unique=False)
    op.create_table(
        "route_locks",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("holder", sa.String(length=32), nullable=False),
        sa.Column("changed_by", sa.Unicode(length=160), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_route_locks"),
    )
    op.create_table(
        "shadow_counts",
        sa.Column("created_hour", sa.Integer(), nullable=False),
        sa.Column("stable", sa.Integer(), nullable=False),
        sa.Column("shadow", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=8), nullable=False),
        sa.Column("class_key", sa.String(length=80), nullable=False),
        sa.Column("decision", sa.String(length=16), nullable=False),
        sa.Column("shadow_class_key", sa.String(length=80), nullable=False),
        sa.Column("shadow_decision", sa.String(length=16), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("infer_ms", sa.Float(), nullable=False),
        sa.Column("shadow_infer_ms", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint(
            *("created_hour", "stable", "shadow", "outcome", "class_key", "decision", "shadow_class_key"),
            "shadow_decision",
            name="pk_shadow_counts",
        ),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("shadow_counts")
    op.drop_table("route_locks")
    op.drop_index("ix_route_changes_changed_at", table_name="route_changes")
    op.drop_table("route_changes")
    op.drop_table("routes")
