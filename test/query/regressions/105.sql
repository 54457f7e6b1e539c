-- A live query kept a renamed column's old name, since the values were the same.
CREATE TABLE one(id TEXT NOT NULL PRIMARY KEY COLLATE NOCASE, u REAL UNIQUE, v NUMERIC DEFAULT 7, w TEXT, UNIQUE (v, w))
ALTER TABLE one ADD COLUMN added1 REAL DEFAULT 2
INSERT INTO one(id, u, v, w) VALUES (0, 'where', 'A', 'a')

COMMIT

ALTER TABLE one RENAME COLUMN added1 TO added_again9
