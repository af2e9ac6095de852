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

-- By what messages are found: place = period * 2^32 + hash of what is looked for, at = arrival,
-- counted from the beginning of its period.  Who searches looks at each period (see marks.py).
CREATE TABLE mark (
    place INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (place, at)
) WITHOUT ROWID;

-- The same, as it came.  When there are many, they are sorted into the others: to put each batch
-- where it belongs would change pages all over its period, and these have to be written.
CREATE TABLE fresh (
    hash INTEGER NOT NULL,
    at INTEGER NOT NULL             -- as in arrival
);
