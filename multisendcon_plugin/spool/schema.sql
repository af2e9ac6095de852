-- The spool.  Keys carry the message's number (see keys.py), so that all that belongs to a
-- message lies together and needs no index of its own.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

-- 1: closed in good order, or never used.
INSERT INTO meta VALUES ('clean', 1);

-- Pieces of content in wire form; id = message * 65536 + part.  A first one that is empty: the
-- content is in a file (see files.py).
CREATE TABLE content (
    id INTEGER PRIMARY KEY,
    data BLOB NOT NULL
);

-- All that an attempt needs to know; id = message * 65536 + n.
CREATE TABLE delivery (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    destination TEXT NOT NULL,      -- within the account
    due REAL NOT NULL,              -- seconds since the epoch, as every time in here
    held INTEGER NOT NULL CHECK (held IN (0, 1)),   -- until somebody releases it
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    tried_at REAL NOT NULL,         -- when the last attempt ended; 0: there was none
    waited REAL NOT NULL,           -- seconds until then while the relay was running
    tried TEXT NOT NULL,            -- names of accounts, a JSON list
    uncertain INTEGER NOT NULL CHECK (uncertain IN (0, 1)),
    warned INTEGER NOT NULL CHECK (warned IN (0, 1)),
    last_reply TEXT NOT NULL,
    -- Forward-paths that are not settled, a JSON list of [address, reason, notify, original];
    -- notify is NOTIFY: 1 success, 2 failure, 4 delay; null: not said; original is ORCPT.
    -- Behind them those that are settled, but not told of: [..., delivered, phase, code, enhanced
    -- code, text of the reply].
    recipients TEXT NOT NULL,

    -- The message, the same in each of its deliveries.
    size INTEGER NOT NULL CHECK (size >= 0),
    header_size INTEGER NOT NULL CHECK (header_size >= 0),
    arrived REAL NOT NULL,
    dots INTEGER NOT NULL,          -- octets of size that SMTP added (RFC 5321, 4.5.2)
    -- A JSON list: reverse-path; all forward-paths, a list; BODY=8BITMIME; SMTPUTF8; RET, or null;
    -- ENVID; the address in From:, if the reverse-path is the null one; who handed it in, a list of
    -- address, user, HELO, TLS, or null; what Message-ID: and Subject: say.
    envelope TEXT NOT NULL
);

-- The order of a lane; the id follows by itself.  What is held is in no lane: however much it is,
-- nobody who looks for the next mail reads over it.
CREATE INDEX lane ON delivery (account, destination, due) WHERE held = 0;

-- So that what is held is counted without looking at what is not.
CREATE INDEX held ON delivery (account) WHERE held = 1;

CREATE TABLE account (
    name TEXT PRIMARY KEY,
    state TEXT NOT NULL             -- a JSON object, see `AccountState`
) WITHOUT ROWID;

-- Apart from the state: that is not believed after a crash.
CREATE TABLE pause (
    account TEXT PRIMARY KEY,
    since REAL NOT NULL             -- it begins no mail until somebody resumes it
) WITHOUT ROWID;

-- What of quotas is used up.  Apart from the state, too: a mail is in here before its MAIL is said.
CREATE TABLE quota (
    name TEXT,                      -- whose: a JSON list, a group's name, or an account's and login
    number INTEGER,
    counted REAL,                   -- by the server, at the latest; NULL: the mail is under way
    mails INTEGER NOT NULL CHECK (mails > 0),
    recipients INTEGER NOT NULL CHECK (recipients >= 0),
    PRIMARY KEY (name, number)
) WITHOUT ROWID;

-- The clock that gives these times, see `UsageClock`; one row at most.
CREATE TABLE quota_clock (
    boot TEXT NOT NULL,
    ahead REAL NOT NULL,
    wall REAL NOT NULL
);
