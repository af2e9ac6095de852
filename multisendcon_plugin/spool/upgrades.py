"""How a database of an earlier version becomes one of this version.

One script for each step, kept for as long as somebody may have such a spool; what comes out of all
of them has the tables of ``schema.sql``.  A table that a later script makes anew has no constraints
here: nobody writes to it in between.
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
    2: """
        CREATE TABLE upgraded AS SELECT
            id, account, due, attempts, tried_at, waited, tried, uncertain, warned, last_reply,
            (SELECT json_group_array(json_array(address, reason, notify, original)) FROM (
                SELECT * FROM recipient WHERE recipient.delivery = old.id ORDER BY position
            )) AS recipients,
            size, header_size, arrived, reverse_path, eight_bit, utf8, returns, envelope_id,
            author, recipients AS envelope
        FROM delivery AS old JOIN message ON number = id / 65536;
        DROP TABLE recipient;
        DROP TABLE delivery;
        DROP TABLE message;
        ALTER TABLE upgraded RENAME TO delivery;
        CREATE INDEX lane ON delivery (account, due);
    """,
    3: """
        DELETE FROM content WHERE id IN (
            SELECT id FROM draft JOIN content
            ON id BETWEEN message * 65536 AND message * 65536 + 65535
        );
        DROP TABLE draft;
    """,
    4: """
        ALTER TABLE delivery ADD COLUMN dots INTEGER NOT NULL DEFAULT 0;
    """,
    5: """
        ALTER TABLE delivery ADD COLUMN client TEXT;
    """,
    6: """
        ALTER TABLE delivery ADD COLUMN destination TEXT NOT NULL DEFAULT '';
        ALTER TABLE delivery ADD COLUMN
            held INTEGER NOT NULL DEFAULT 0 CHECK (held IN (0, 1));
        DROP INDEX lane;
        CREATE INDEX lane ON delivery (account, destination, due) WHERE held = 0;
        CREATE TABLE upgraded (
            name TEXT PRIMARY KEY,
            state TEXT NOT NULL
        ) WITHOUT ROWID;
        INSERT INTO upgraded SELECT name, json_object('minimum_wait', mail_ended) FROM account;
        DROP TABLE account;
        ALTER TABLE upgraded RENAME TO account;
    """,
    7: """
        CREATE TABLE upgraded (
            id INTEGER PRIMARY KEY,
            account TEXT NOT NULL,
            destination TEXT NOT NULL,
            due REAL NOT NULL,
            held INTEGER NOT NULL CHECK (held IN (0, 1)),
            attempts INTEGER NOT NULL CHECK (attempts >= 0),
            tried_at REAL NOT NULL,
            waited REAL NOT NULL,
            tried TEXT NOT NULL,
            uncertain INTEGER NOT NULL CHECK (uncertain IN (0, 1)),
            warned INTEGER NOT NULL CHECK (warned IN (0, 1)),
            last_reply TEXT NOT NULL,
            recipients TEXT NOT NULL,
            size INTEGER NOT NULL CHECK (size >= 0),
            header_size INTEGER NOT NULL CHECK (header_size >= 0),
            arrived REAL NOT NULL,
            dots INTEGER NOT NULL,
            envelope TEXT NOT NULL
        );
        INSERT INTO upgraded SELECT
            id, account, destination, due, held, attempts, tried_at, waited, tried, uncertain,
            warned, last_reply, recipients, size, header_size, arrived, dots,
            json_array(
                reverse_path,
                json(envelope),
                json(CASE eight_bit WHEN 1 THEN 'true' ELSE 'false' END),
                json(CASE utf8 WHEN 1 THEN 'true' ELSE 'false' END),
                returns,
                envelope_id,
                author,
                json(client)
            )
        FROM delivery;
        DROP TABLE delivery;
        ALTER TABLE upgraded RENAME TO delivery;
        CREATE INDEX lane ON delivery (account, destination, due) WHERE held = 0;
    """,
    8: """
        UPDATE delivery SET envelope = json_insert(envelope, '$[8]', '', '$[9]', '');
    """,
    9: """
        CREATE INDEX held ON delivery (account) WHERE held = 1;
        CREATE TABLE pause (
            account TEXT PRIMARY KEY,
            since REAL NOT NULL
        ) WITHOUT ROWID;
    """,
    10: """
        CREATE TABLE quota (
            name TEXT,
            number INTEGER,
            counted REAL,
            mails INTEGER NOT NULL CHECK (mails > 0),
            recipients INTEGER NOT NULL CHECK (recipients >= 0),
            PRIMARY KEY (name, number)
        ) WITHOUT ROWID;
        CREATE TABLE quota_clock (
            boot TEXT NOT NULL,
            ahead REAL NOT NULL,
            wall REAL NOT NULL
        );
    """,
}
