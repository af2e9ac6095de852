-- The history: what became of each mail.  It is fed in batches, and not the truth: the spool is.

-- What happened to a message, as a JSON list of records (see records.py), in as many pieces as
-- there were batches; id = message * 65536 + n.  Piece 0 begins with the arrival, and there is
-- none if the history knows of the message only from the queue.
CREATE TABLE piece (
    id INTEGER PRIMARY KEY,
    records TEXT NOT NULL
);

-- When messages arrived, in microseconds since the epoch.
CREATE TABLE arrival (
    at INTEGER NOT NULL,
    message INTEGER NOT NULL,
    PRIMARY KEY (at, message)
) WITHOUT ROWID;

-- By what a message is found: place = period * 2^32 + hash of what is looked for, at = that of its
-- arrival within the period.  Entries are scattered within their period only, so that a batch
-- changes few pages; who searches looks at each period.  See marks.py.
CREATE TABLE mark (
    place INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (place, at)
) WITHOUT ROWID;
