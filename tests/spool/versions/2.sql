-- The spool.  Keys carry the message's number (see keys.py), so that all that belongs to a
-- message lies together and needs no index of its own.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

-- 1: closed in good order, or never used.
INSERT INTO meta VALUES ('clean', 1);

-- Messages of which content is stored, but which are not whole yet.
CREATE TABLE draft (
    message INTEGER PRIMARY KEY
);

-- Pieces of content in wire form; id = message * 65536 + part.
CREATE TABLE content (
    id INTEGER PRIMARY KEY,
    data BLOB NOT NULL
);

CREATE TABLE message (
    number INTEGER PRIMARY KEY,
    reverse_path TEXT NOT NULL,
    recipients TEXT NOT NULL,       -- all forward-paths of the envelope, a JSON list
    eight_bit INTEGER NOT NULL CHECK (eight_bit IN (0, 1)),
    utf8 INTEGER NOT NULL CHECK (utf8 IN (0, 1)),
    size INTEGER NOT NULL CHECK (size >= 0),
    header_size INTEGER NOT NULL CHECK (header_size >= 0),
    arrived REAL NOT NULL,          -- seconds since the epoch, as every time in here
    returns TEXT,                   -- the wishes of the sender, RFC 3461: RET
    envelope_id TEXT NOT NULL,      -- ENVID
    author TEXT NOT NULL            -- the address in From:, if reverse_path is the null one
);

-- id = message * 65536 + n.
CREATE TABLE delivery (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    due REAL NOT NULL,
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    tried TEXT NOT NULL,            -- names of accounts, a JSON list
    uncertain INTEGER NOT NULL CHECK (uncertain IN (0, 1)),
    warned INTEGER NOT NULL CHECK (warned IN (0, 1)),
    last_reply TEXT NOT NULL,
    tried_at REAL NOT NULL,         -- when the last attempt ended; 0: there was none
    waited REAL NOT NULL            -- seconds until then while the relay was running
);

-- The order of a lane; the id follows by itself.
CREATE INDEX lane ON delivery (account, due);

-- Forward-paths that are not settled.
CREATE TABLE recipient (
    delivery INTEGER NOT NULL REFERENCES delivery ON DELETE CASCADE,
    position INTEGER NOT NULL,
    address TEXT NOT NULL,
    reason TEXT NOT NULL,
    notify INTEGER,                 -- NOTIFY: 1 success, 2 failure, 4 delay; NULL: not said
    original TEXT NOT NULL,         -- ORCPT
    PRIMARY KEY (delivery, position)
) WITHOUT ROWID;

CREATE TABLE account (
    name TEXT PRIMARY KEY,
    mail_ended REAL NOT NULL
) WITHOUT ROWID;

INSERT INTO message VALUES (17000000000000, 'boss@example.com', '["a@x", "b@x"]', 1, 0, 6, 0, 1700000000.0, 'HDRS', 'id+3D', '');
INSERT INTO content VALUES (1114112000000000000, X'746578740d0a');
INSERT INTO delivery VALUES (1114112000000000000, 'Sales', 1700000060.0, 1, '["B"]', 0, 1, 'later', 1700000050.0, 50.0);
INSERT INTO recipient VALUES (1114112000000000000, 1, 'b@x', 'test', 0, 'rfc822;b@x'), (1114112000000000000, 0, 'a@x', 'test', NULL, '');
INSERT INTO account VALUES ('Sales', 1700000000.5);
PRAGMA user_version = 2;
