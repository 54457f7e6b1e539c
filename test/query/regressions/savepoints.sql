-- By hand: what a savepoint and OR ROLLBACK take back, of definitions and rows, and a table that is made, dropped and made again.
CREATE TABLE one (id INTEGER PRIMARY KEY, u UNIQUE, v)
CREATE TABLE two (id TEXT PRIMARY KEY COLLATE NOCASE, v)

BEGIN
INSERT INTO one (u, v) VALUES (1, 'a'), (2, 'b')
SAVEPOINT a
CREATE TABLE three (x)
INSERT INTO three VALUES (1)
ALTER TABLE two ADD COLUMN more DEFAULT 7
ROLLBACK TO a
CREATE TABLE three (y, z)
INSERT INTO three VALUES (1, 2.0)
COMMIT

BEGIN
INSERT INTO two VALUES ('K', 1)
INSERT OR ROLLBACK INTO one (u) VALUES (1)
INSERT INTO two VALUES ('after', 2)
COMMIT

INSERT INTO two VALUES ('k', 3)
INSERT INTO two VALUES ('K', 4) ON CONFLICT DO UPDATE SET id = excluded.id, v = excluded.v
DROP TABLE three
CREATE TABLE three AS SELECT v, typeof(v) FROM one
UPDATE OR REPLACE one SET u = 1 WHERE u = 2
