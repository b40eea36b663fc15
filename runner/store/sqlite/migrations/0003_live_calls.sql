CREATE TABLE live_calls (
    id TEXT PRIMARY KEY,
    runner TEXT,
    fence INTEGER NOT NULL,
    agent TEXT NOT NULL,
    state TEXT NOT NULL,
    configuration TEXT NOT NULL,
    began_at REAL NOT NULL,
    webhook_id TEXT UNIQUE
) STRICT;
-- `entries` is sealed: a file gives away no word of a live call.
CREATE TABLE journal (
    call_id TEXT NOT NULL,
    first_seq INTEGER NOT NULL,
    entries BLOB NOT NULL,
    PRIMARY KEY (call_id, first_seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE configurations (
    hash TEXT PRIMARY KEY,
    texts TEXT NOT NULL
) STRICT;
