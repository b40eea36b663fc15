-- The recent pieces up to the one of this number are being moved to their places, and those of calls up to this id
-- were moved; without a number none are.
CREATE TABLE moving (
    upto INTEGER,
    moved TEXT NOT NULL DEFAULT ''
) STRICT;
INSERT INTO moving DEFAULT VALUES;
