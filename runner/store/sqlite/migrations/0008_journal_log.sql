-- The pieces of all journals, as they came, many to a row: what `pieces` names stands in `entries` one behind the
-- other. `upto` counts the bytes of all rows so far, deleted ones too. A journal's first piece is in `journal`, from
-- where its others are those in later rows than `since`.
CREATE TABLE journal_log (
    upto INTEGER PRIMARY KEY,
    pieces TEXT NOT NULL,
    entries BLOB NOT NULL
) STRICT;
ALTER TABLE journal ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
INSERT OR REPLACE INTO journal (call_id, first_seq, entries)
SELECT call_id, first_seq, entries FROM recent_pieces WHERE TRUE ORDER BY id;
DROP TABLE recent_pieces;
DROP TABLE moving;
