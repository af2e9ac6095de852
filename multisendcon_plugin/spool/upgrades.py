"""How a database of an earlier version becomes one of this version.

One script for each step, kept for as long as somebody may have such a spool; what comes out of all
of them has the tables of ``schema.sql``.
"""

from __future__ import annotations

#: By the version that a script starts from; it leads to the next one.
UPGRADES = {
    1: """
        ALTER TABLE message ADD COLUMN returns TEXT;
        ALTER TABLE message ADD COLUMN envelope_id TEXT NOT NULL DEFAULT '';
        ALTER TABLE message ADD COLUMN author TEXT NOT NULL DEFAULT '';
        ALTER TABLE delivery ADD COLUMN tried_at REAL NOT NULL DEFAULT 0;
        ALTER TABLE delivery ADD COLUMN waited REAL NOT NULL DEFAULT 0;
        ALTER TABLE recipient ADD COLUMN notify INTEGER;
        ALTER TABLE recipient ADD COLUMN original TEXT NOT NULL DEFAULT '';
    """,
}
