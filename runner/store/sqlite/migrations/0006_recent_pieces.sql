-- The latest pieces of all journals, one behind the other: each has its place in `journal` once there are many.
CREATE TABLE recent_pieces (
    id INTEGER PRIMARY KEY,
    call_id TEXT NOT NULL,
    first_seq INTEGER NOT NULL,
    entries BLOB NOT NULL
) STRICT;
