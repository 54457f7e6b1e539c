/** Schemas, and statements that meet rows of them in every way that SQLite looks for: keys, unique values, conflict clauses, foreign keys, triggers, views. */
const filled = (t: string, sel: string, n = 60): string => `WITH i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < ${n}) INSERT INTO ${t} SELECT ${sel} FROM i;`
export const WORLDS: readonly (readonly [name: string, script: string, programs: readonly (string | readonly string[])[]])[] = [
  ['keys', `
    CREATE TABLE pt (id TEXT PRIMARY KEY COLLATE NOCASE, n INTEGER);
    CREATE TABLE pr (id REAL PRIMARY KEY, n INTEGER);
    CREATE TABLE pc (a INT, b TEXT COLLATE RTRIM, n, PRIMARY KEY (b, a)) WITHOUT ROWID;
    CREATE TABLE pu (id INTEGER PRIMARY KEY, u TEXT UNIQUE, v INTEGER, w TEXT COLLATE NOCASE, UNIQUE (v, w));
    CREATE TABLE pb (id PRIMARY KEY NOT NULL, n);
    CREATE TABLE c1 (id INTEGER PRIMARY KEY, p TEXT COLLATE NOCASE BLIND REFERENCES pt(id) ON DELETE SET DEFAULT ON UPDATE CASCADE DEFAULT 'p1');
    CREATE TABLE c2 (id INTEGER PRIMARY KEY, p REAL BLIND REFERENCES pr(id) ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE c3 (id INTEGER PRIMARY KEY, a INT PLAINTEXT, b TEXT COLLATE RTRIM PLAINTEXT, FOREIGN KEY (a, b) REFERENCES pc(a, b) ON UPDATE CASCADE ON DELETE CASCADE);
    CREATE INDEX c3i ON c3 (b, a);
    CREATE TABLE c4 (id INTEGER PRIMARY KEY, v INTEGER PLAINTEXT, w TEXT COLLATE NOCASE PLAINTEXT, u TEXT BLIND REFERENCES pu(u) DEFERRABLE INITIALLY DEFERRED, FOREIGN KEY (v, w) REFERENCES pu(v, w) ON DELETE SET NULL);
    CREATE INDEX c4i ON c4 (v, w);
    CREATE TABLE c5 (id INTEGER PRIMARY KEY, p BLIND REFERENCES pb ON DELETE CASCADE);
    CREATE TABLE tree (id INTEGER PRIMARY KEY, up INTEGER BLIND REFERENCES tree(id) ON DELETE CASCADE ON UPDATE CASCADE, x TEXT);
    CREATE TABLE treed (id INTEGER PRIMARY KEY, up INTEGER BLIND REFERENCES treed(id) DEFERRABLE INITIALLY DEFERRED, x TEXT UNIQUE);
    ${filled('pt', "'P' || n, n")} ${filled('pr', 'n + 0.5, n')} INSERT INTO pr VALUES (100.0, 1), (200, 2); ${filled('pc', "n, 'b' || (n % 5), n")} ${filled('pu', "n, 'u' || n, n % 7, 'W' || n")} ${filled('pb', 'n, n')} INSERT INTO pb VALUES ('x', 1), (x'01', 2), (2.5, 3);
    ${filled('c1', "n, 'p' || (n % 20 + 1)")} ${filled('c2', 'n, n + 0.5')} ${filled('c3', "n, n, 'b' || (n % 5) || '  '")} ${filled('c4', "n, n % 7, 'w' || n, 'u' || n", 20)} ${filled('c5', 'n, n', 20)} INSERT INTO c5 VALUES (100, 'x'), (101, x'01'), (102, 2.5);
    ${filled('tree', "n, CASE WHEN n = 1 THEN NULL ELSE n / 2 END, 'x' || n", 40)} ${filled('treed', "n, CASE WHEN n = 1 THEN NULL ELSE n / 2 END, 'x' || n", 40)}
    CREATE UNIQUE INDEX pt2 ON pt (id COLLATE RTRIM);
  `, [
    "DELETE FROM pt WHERE id = 'p3'", "DELETE FROM pt WHERE id = 'p1'", "UPDATE pt SET id = 'P2x' WHERE id = 'p2'", "UPDATE pt SET id = 'P2' WHERE id = 'p2'",
    "UPDATE pt SET id = 'p2  ' WHERE id = 'p4'", "INSERT INTO pt VALUES ('P5 ', 1)", "INSERT OR REPLACE INTO pt VALUES ('P5 ', 1)",
    "INSERT OR IGNORE INTO pt VALUES ('P5 ', 1)", "REPLACE INTO pt VALUES ('p6', 1)",
    "INSERT INTO pt VALUES ('p7', 1) ON CONFLICT (id) DO UPDATE SET id = 'p8'", "INSERT INTO pt VALUES ('p7', 1) ON CONFLICT (id) DO UPDATE SET id = 'new', n = excluded.n + pt.n RETURNING *",
    "INSERT INTO pt VALUES ('P7 ', 1) ON CONFLICT DO NOTHING",
    "UPDATE OR REPLACE pt SET id = 'p9' WHERE id = 'p10'", "UPDATE OR IGNORE pt SET id = 'p9' WHERE id IN ('p10', 'p11')",
    "INSERT INTO pr VALUES ('1.5', 3)", "INSERT INTO pr VALUES ('100', 3)", "INSERT OR REPLACE INTO pr VALUES (100, 7)", "DELETE FROM pr WHERE id = '2.5'",
    ["DELETE FROM pr WHERE id = 2.5", "INSERT INTO pr VALUES (2.5, 9)"], ["DELETE FROM c2 WHERE id = 2", "DELETE FROM pr WHERE id = 2.5"],
    "UPDATE pr SET id = 7 WHERE id = 3.5", "UPDATE pr SET id = '3.50' WHERE id = 3.5",
    "INSERT INTO c2 VALUES (900, '1.5')", "INSERT INTO c2 VALUES (900, '77')", ["INSERT INTO c2 VALUES (900, '77')", "INSERT INTO pr VALUES (77, 1)"],
    ["INSERT INTO c2 VALUES (900, 77)", 'SAVEPOINT s', "INSERT INTO pr VALUES (77, 1)", 'ROLLBACK TO s'],
    "DELETE FROM pc WHERE a = 3 AND b = 'b3'", "UPDATE pc SET a = 1000 WHERE a = 4 AND b = 'b4   '", "UPDATE pc SET b = 'b4 ' WHERE a = 4 AND b = 'b4'",
    "UPDATE pc SET b = 'b2' WHERE a = 1 AND b = 'b1'", "UPDATE OR REPLACE pc SET b = 'b2', a = 2 WHERE a = 1 AND b = 'b1'", "INSERT INTO pc VALUES ('5', 'b0 ', 1)",
    "INSERT INTO pc VALUES (5.0, 'b0 ', 1)", "INSERT OR REPLACE INTO pc VALUES (5.0, 'b0 ', 1)", "INSERT INTO c3 VALUES (901, '6', 'b1')",
    "INSERT INTO c3 VALUES (901, 6, 'b2')", "INSERT INTO c3 VALUES (901, 6, NULL)", "INSERT INTO c3 SELECT id + 1000, a + 1, b FROM c3 WHERE id = 9",
    
    "DELETE FROM pu WHERE id = 30", "DELETE FROM pu WHERE id = 3", ["DELETE FROM c4 WHERE u = 'u4'", "DELETE FROM pu WHERE id = 4"],
    ["DELETE FROM pu WHERE id = 4", "DELETE FROM c4 WHERE u = 'u4'"], ["DELETE FROM pu WHERE id = 4", "UPDATE c4 SET u = 'u5' WHERE id = 4"],
    "UPDATE pu SET w = 'w9', v = 2 WHERE id = 10", "UPDATE pu SET w = 'w9' WHERE id = 16", "UPDATE OR REPLACE pu SET w = 'w9' WHERE id = 16",
    "UPDATE OR REPLACE pu SET w = 'w40', v = 5 WHERE id = 50", "INSERT OR REPLACE INTO pu VALUES (50, 'u51', 3, 'w52')", "INSERT OR REPLACE INTO pu VALUES (60, 'u51', 3, 'w59')",
    "INSERT INTO pu VALUES (60, 'u51', 3, 'w59') ON CONFLICT (u) DO UPDATE SET v = 9 ON CONFLICT (id) DO UPDATE SET v = 10 ON CONFLICT DO NOTHING RETURNING *",
    "INSERT INTO pu VALUES (61, 'u61', 3, 'w59') ON CONFLICT (v, w) DO UPDATE SET u = 'u7' RETURNING (SELECT count(*) FROM c4 WHERE c4.u = pu.u)",
    
    "INSERT INTO pb VALUES (1.0, 5)", "INSERT INTO pb VALUES ('1', 5)", "DELETE FROM pb WHERE id = 'x'", "DELETE FROM pb WHERE id = 2.5",
    "DELETE FROM pb WHERE id = x'01'", "UPDATE pb SET id = '5' WHERE id = 5", "UPDATE pb SET id = 5.0 WHERE id = 5", "UPDATE pb SET id = 6.0 WHERE id = 5",
    "INSERT OR REPLACE INTO pb VALUES (7.0, 5)", "INSERT INTO c5 VALUES (500, 8.0)", "INSERT INTO c5 VALUES (500, '8')", "UPDATE c5 SET p = 9.0 WHERE id = 8",
    
    "DELETE FROM tree WHERE id = 5", "UPDATE tree SET id = 100 WHERE id = 5", "UPDATE tree SET id = 6 WHERE id = 5", "UPDATE tree SET up = id WHERE id = 5",
    "UPDATE tree SET up = 39 WHERE id = 3", "INSERT INTO tree VALUES (200, 200, 'x')", "INSERT INTO tree VALUES (200, 201, 'x')", "INSERT INTO tree VALUES (200, 201, 'x'), (201, 200, 'y')",
    "DELETE FROM tree WHERE x = 'x7'", "REPLACE INTO tree VALUES (5, 2, 'replaced')", "INSERT INTO tree VALUES ('7', 2.0, 'x') ON CONFLICT DO UPDATE SET id = 300",
    
    ["INSERT INTO treed VALUES (200, 201, 'x200')", "INSERT INTO treed VALUES (201, 200, 'y')"], "INSERT INTO treed VALUES (200, 201, 'a'), (201, 200, 'b')",
    "DELETE FROM treed WHERE id IN (20, 10)", ["DELETE FROM treed WHERE id = 10", "DELETE FROM treed WHERE id IN (20, 21)"], ["DELETE FROM treed WHERE id = 10", "UPDATE treed SET id = 10 WHERE id = 40"],
    "REPLACE INTO treed VALUES (50, 3, 'x3')", "REPLACE INTO treed VALUES (3, 1, 'x3')", ["SAVEPOINT a", "DELETE FROM treed WHERE id = 3", "SAVEPOINT b", "INSERT INTO treed VALUES (3, 1, 'again')", "ROLLBACK TO b", "SELECT count(*) FROM treed", "ROLLBACK TO a", "UPDATE treed SET x = 'x5' WHERE id = 3"],
    ["UPDATE treed SET x = 'x500' WHERE id = 5", "UPDATE treed SET x = 'x5' WHERE id = 3", "UPDATE treed SET x = 'x3' WHERE id = 5"],
    
  ]],
  ['conflicts', `
    CREATE TABLE d (id INTEGER PRIMARY KEY, u TEXT NOT NULL DEFAULT 'u5' UNIQUE, p INTEGER NOT NULL DEFAULT 4 REFERENCES q(id), x TEXT);
    CREATE TABLE q (id INTEGER PRIMARY KEY, u INTEGER UNIQUE ON CONFLICT REPLACE, v TEXT UNIQUE ON CONFLICT IGNORE, w TEXT UNIQUE ON CONFLICT FAIL);
    CREATE TABLE e (id TEXT PRIMARY KEY, d INTEGER BLIND REFERENCES d(id) ON DELETE CASCADE, n);
    CREATE TABLE n (k TEXT PRIMARY KEY, x);
    CREATE TABLE strict (id INT PRIMARY KEY, a ANY UNIQUE, r REAL UNIQUE) STRICT;
    CREATE VIEW v AS SELECT d.id, d.u, e.id AS e FROM d LEFT JOIN e ON e.d = d.id;
    CREATE TRIGGER vi INSTEAD OF INSERT ON v BEGIN INSERT OR REPLACE INTO d (id, u, p) VALUES (NEW.id, NEW.u, 1); INSERT INTO e VALUES (NEW.e, NEW.id, 1) ON CONFLICT (id) DO UPDATE SET d = excluded.d; END;
    CREATE TRIGGER vd INSTEAD OF DELETE ON v BEGIN DELETE FROM d WHERE id = OLD.id; END;
    CREATE TRIGGER vu INSTEAD OF UPDATE ON v BEGIN UPDATE d SET u = NEW.u WHERE id = OLD.id; END;
    CREATE TABLE audit (id INTEGER PRIMARY KEY, what TEXT UNIQUE, n INTEGER);
    CREATE TRIGGER ad AFTER DELETE ON e BEGIN UPDATE audit SET n = n + 1 WHERE what = 'a' || OLD.d; END;
    CREATE TRIGGER au AFTER UPDATE OF x ON d WHEN NEW.x IS NOT OLD.x BEGIN INSERT INTO audit (id, what, n) VALUES (NEW.id + 5, 'a' || NEW.x, 0) ON CONFLICT (what) DO UPDATE SET n = n + 1 ON CONFLICT (id) DO NOTHING; END;
    CREATE TRIGGER rec AFTER UPDATE OF n ON audit WHEN NEW.n > 100 AND NEW.n < 110 BEGIN UPDATE audit SET n = NEW.n + 1 WHERE id = NEW.id + 1; END;
    ${filled('q', "n, n * 10, 'v' || n, 'w' || n")} ${filled('d', "n, 'u' || n, n, 'x' || n")} ${filled('e', "'e' || n, n, n")} ${filled('audit', "n, 'a' || n, 0")} ${filled('n', "'k' || n, n")} INSERT INTO n VALUES (NULL, 1), (NULL, 2); ${filled('strict', "n, 'a' || n, n * 1.5")}
  `, [
    "INSERT OR REPLACE INTO d (id, u, p, x) VALUES (100, NULL, 2, 'x')", "INSERT OR REPLACE INTO d (id, u, p, x) VALUES (100, 'u7', NULL, 'x')",
    "INSERT INTO d (id) VALUES (100)", "INSERT OR IGNORE INTO d (id) VALUES (100)", "INSERT OR REPLACE INTO d (id) VALUES (100)", "UPDATE OR REPLACE d SET u = NULL WHERE id = 9",
    "UPDATE OR REPLACE d SET u = NULL, p = NULL WHERE id = 9", "UPDATE d SET u = 'u10' WHERE id = 9", "UPDATE OR FAIL d SET u = 'u10' WHERE id IN (9, 11)",
    "UPDATE OR ABORT d SET u = 'u10' WHERE id IN (9)", "UPDATE OR ROLLBACK d SET u = 'u10' WHERE id IN (9)", ["UPDATE d SET x = 'q' WHERE id = 1", "UPDATE OR ROLLBACK d SET u = 'u10' WHERE id IN (9)", "UPDATE d SET x = 'q' WHERE id = 2"],
    
    "INSERT INTO q VALUES (100, 20, 'vx', 'wx')", "INSERT INTO q VALUES (100, 1000, 'v9', 'wx')", "INSERT INTO q VALUES (100, 20, 'v9', 'wx')",
    "INSERT INTO q VALUES (100, 20, 'v99', 'w8')", "UPDATE q SET u = 30 WHERE id = 4", "UPDATE q SET v = 'v30' WHERE id = 4", "UPDATE q SET w = 'w30' WHERE id = 4",
    "UPDATE q SET u = u + 10 WHERE id IN (4, 5)", "INSERT INTO q SELECT id + 100, u, v || 'x', w || 'x' FROM q WHERE id BETWEEN 5 AND 8",
    
    "DELETE FROM d WHERE id = 7", "REPLACE INTO d VALUES (7, 'u8', 1, 'x')", "UPDATE d SET id = 200 WHERE id = 7", "UPDATE d SET id = 8 WHERE id = 7", "UPDATE OR REPLACE d SET id = 8 WHERE id = 7",
    "UPDATE d SET x = '12' WHERE id = 12", "UPDATE d SET x = 'new' WHERE id = 12", "UPDATE d SET x = 'new' WHERE id = 59", "UPDATE d SET x = x || 'y' WHERE id IN (12, 13, 14)",
    "INSERT INTO v VALUES (7, 'u9', 'e20')", "INSERT INTO v VALUES (700, 'u700', 'e20')", "DELETE FROM v WHERE id = 20", "UPDATE v SET u = 'u21' WHERE id = 20",
    "UPDATE v SET u = 'unew' WHERE id = 20",
    "UPDATE audit SET n = 101 WHERE id = 20", "UPDATE audit SET n = 105 WHERE id = 55",
    "INSERT INTO n VALUES (NULL, 3)", "INSERT INTO n VALUES ('k7', 3)", "UPDATE n SET k = NULL WHERE k = 'k8'", "UPDATE n SET k = 'k9' WHERE k IS NULL AND x = 1",
    "UPDATE n SET k = 'k900' WHERE k IS NULL", "UPDATE OR REPLACE n SET k = 'k9' WHERE k = 'k8'", ["INSERT INTO n VALUES ('z1', 1), ('z2', 2)", "SELECT count(*), sum(x) FROM n", "INSERT INTO n VALUES (NULL, 9)"],
    ["INSERT INTO n VALUES ('z1', 1), ('z2', 2)", "DELETE FROM n WHERE k IS NULL"],
    "INSERT INTO strict VALUES (100, 'a5', 1)", "INSERT INTO strict VALUES (100, 5, 3)", "INSERT INTO strict VALUES ('7', 5, '3.0')",
    "INSERT OR REPLACE INTO strict VALUES (9.0, 'a10', 3)", "INSERT INTO strict VALUES (100, 5, '4.5') ON CONFLICT (r) DO UPDATE SET id = 8",
    
    "UPDATE d SET u = e.id FROM e WHERE e.d = d.id AND d.id = 3", "UPDATE d SET u = 'u' || (e.n + 1) FROM e WHERE e.d = d.id AND d.id = 3",
    "INSERT INTO d SELECT id + 1, u || 'z', p, x FROM d WHERE id = 30 RETURNING (SELECT u FROM d AS o WHERE o.id = d.id - 1)", "WITH z(a) AS (SELECT 5 UNION ALL SELECT a + 1 FROM z WHERE a < 8) UPDATE d SET x = 'z' WHERE id IN (SELECT a FROM z)",
    "DELETE FROM e WHERE d NOT IN (SELECT id FROM d WHERE id < 50)", "DELETE FROM e WHERE id = (SELECT max(id) FROM e)", "DELETE FROM e WHERE (id, d) = ('e9', 9) RETURNING *",
    "INSERT INTO e (id, d) VALUES ('e1000', NULL), ('e1001', '7'), ('e1002', 7.0)", "INSERT INTO e (id, d) VALUES ('e1000', 'x')",
    "INSERT INTO e DEFAULT VALUES", "UPDATE d SET (u, x) = (SELECT id, n FROM e WHERE e.d = d.id) WHERE id = 4", "UPDATE d SET (u, x) = (SELECT 'u5', 1) WHERE id = 4",
    
    "INSERT INTO d (rowid, u) VALUES (9, 'q')", "UPDATE d SET rowid = 9 WHERE oid = 8", "UPDATE d SET _rowid_ = 900 WHERE oid = 8",
    "INSERT INTO d VALUES ('9', 'q', 1, 1)", "INSERT INTO d VALUES (9.0, 'q', 1, 1)", "INSERT INTO d VALUES ('9.0', 'q', 1, 1)", "INSERT INTO d VALUES ('9x', 'q', 1, 1)",
    "INSERT INTO d VALUES (9.5, 'q', 1, 1)", "INSERT INTO d VALUES (-1, 'q', 1, 1)",
  ]],
  ['unlike', `
    CREATE TABLE a1 (id TEXT PRIMARY KEY COLLATE NOCASE, n);
    CREATE TABLE b1 (id INTEGER PRIMARY KEY, p TEXT BLIND REFERENCES a1(id) ON DELETE CASCADE ON UPDATE CASCADE);
    CREATE TABLE a2 (id INTEGER PRIMARY KEY, n);
    CREATE TABLE b2 (id INTEGER PRIMARY KEY, p TEXT BLIND REFERENCES a2(id) ON DELETE SET NULL);
    CREATE TABLE b3 (id INTEGER PRIMARY KEY, x INTEGER, p INTEGER AS (x) REFERENCES a2(id));
    CREATE TABLE b4 (id INTEGER PRIMARY KEY, p INTEGER BLIND REFERENCES a2(id) ON DELETE CASCADE);
    ${filled('a1', "'p' || n, n", 40)} ${filled('a2', 'n, n', 40)} ${filled('b1', "n, 'P' || n", 30)} ${filled('b2', 'n, n', 30)} INSERT INTO b3 (id, x) SELECT id, id FROM a2 WHERE id < 20; ${filled('b4', 'n, n + 20', 20)}
  `, [
    // Compared as the parent's column is, a child lies elsewhere than its own column says.
    "DELETE FROM a1 WHERE id = 'p3'", "UPDATE a1 SET id = 'q' WHERE id = 'p4'", "UPDATE a1 SET id = 'P5' WHERE id = 'p5'", "INSERT INTO b1 VALUES (100, 'P40'), (101, 'p39')", "INSERT INTO b1 VALUES (100, 'P41')",
    'DELETE FROM a2 WHERE id = 25', 'DELETE FROM a2 WHERE id = 5', 'UPDATE a2 SET id = 500 WHERE id = 28', 'UPDATE a2 SET id = 500 WHERE id = 40', "INSERT INTO b2 VALUES (100, '40'), (101, 39)", "INSERT INTO b2 VALUES (100, '41')",
    'UPDATE b3 SET x = 40 WHERE id = 3', 'UPDATE b3 SET x = 777 WHERE id = 3', 'INSERT INTO b3 (id, x) VALUES (100, 41)', 'DELETE FROM b3 WHERE id = 7',
  ]],
]
