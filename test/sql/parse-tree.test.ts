/** Printing, walking, and which tables a statement names. */
import { describe, expect, test } from 'vitest'
import type { Node } from '../../query/sql/ast.js'
import { makeName } from '../../query/sql/names.js'
import { parseStatement } from '../../query/sql/parse.js'
import { printStatement } from '../../query/sql/print.js'
import { baseTables, tableUses } from '../../query/sql/tables.js'
import { findAll, transform, walk } from '../../query/sql/visit.js'
import { sameTree } from './parse-support.js'

describe('print', () => {
  test.each([
    ['select (a) from t where ((x=1))', 'SELECT a FROM t WHERE x = 1'],
    ['select 1-(2-3), (1-2)-3, -(-1), - -1, not(not a), (not a)=b, (a=b)=c, a=(b=c)', null],
    ["select a like (b = c) escape (d < e), (a like b) like c, a like (b like c escape 'd')", null],
    ['select (a or b) between (c and d) and (e = f), x in ((select 1)), x in (select 1), (a, b) in (values (1, 2))', null],
    ['select (a collate x) || b, (a || b) collate x, -(a collate x), (-a) collate x', null],
    ['select count(distinct a), group_concat(a, b order by c desc nulls last) filter (where d) over (w partition by e order by f groups between 1 + 1 preceding and unbounded following exclude ties) from t window w as ()', null],
    ['select ?, ?2, :a, @b, $c::d(e) limit ?, ?', null],
    ['select [a b], `c`, "d""e", \'f\'.g as \'h\' from "t" as [u] not indexed', null],
    ['select * from a natural left outer join b cross join (c, d) as e join (select 1) using (x, y), f(1, 2) as g', null],
    ['with recursive a(x) as not materialized (select 1 union all select x from a), b as materialized (values (1), (2)) select a.* from a except select 1 intersect select 2 order by 1 limit 3 offset 4', null],
    ['insert or ignore into s.t as u (a, b) select 1, 2 where true on conflict (a collate x) where b do nothing on conflict do update set (a, b) = (1, 2), c = excluded.c where d returning *, a as z', null],
    ['replace into t default values', 'INSERT OR REPLACE INTO t DEFAULT VALUES'],
    ['update or fail t as u indexed by i set a = 1 from v join w on x where y returning a', null],
    ['create temp table if not exists s.t (a decimal(10, -5) constraint c not null on conflict ignore default (1 + 2) unique, b primary key desc autoincrement check (b > 0) references u (x) on delete set null match full not deferrable initially deferred, c generated always as (a || b) stored, d default -1 null collate nocase blind, e default current_time plaintext constraint q, constraint pk primary key (a, b desc) on conflict replace unique (c) foreign key (a) references u deferrable initially immediate) strict, without rowid', null],
    ['create table t as select 1', null],
    ['create unique index if not exists s.i on t (a collate nocase desc, lower(b)) where a is not null', null],
    ['create view v (a, b) as select 1, 2', null],
    ['create trigger if not exists s.r instead of update of a, b on v for each row when new.a <> old.a begin insert into t values (1); update t set a = 2; delete from t; select raise(abort, \'no\'), raise(ignore); end', null],
    ['create virtual table v using fts5(a, b (c, d), tokenize = "x")', null],
    ['create policy p on t for update to writer, admin using (a = 1) with check (b = 2)', null],
    ['drop policy if exists p on t', null],
    ['select * from t as of 5 as x join u as of ? on true', null],
    ['explain verified select 1', null],
    ['explain query plan delete from t', null],
    ['alter table s.t rename to u', null],
    ['alter table t rename a to b', 'ALTER TABLE t RENAME COLUMN a TO b'],
    ['alter table t add a text blind', null],
    ['alter table t add constraint c check (a > 1) on conflict fail', null],
    ['alter table t drop constraint c', null],
    ['alter table t alter a set not null on conflict abort', null],
    ['alter table t alter column a drop not null', null],
    ['pragma s.x = -5', null],
    ['pragma x(on)', null],
    ['begin immediate transaction x', 'BEGIN IMMEDIATE'],
    ['end', 'COMMIT'],
    ['rollback to savepoint x', null],
    ['attach database \'x\' as y key z', null],
    ['vacuum main into \'x\'', null],
    ['analyze s.t', null],
  ])('%s', (text, expected) => {
    const statement = parseStatement(text), printed = printStatement(statement)
    if (expected !== null) expect(printed).toBe(expected)
    expect(sameTree(parseStatement(printed), statement)).toBe(true)
    expect(printStatement(parseStatement(printed))).toBe(printed)
  })
})

describe('walk and transform', () => {
  const statement = parseStatement('SELECT a, (SELECT b FROM u WHERE c = ?) FROM t WHERE a IN (SELECT d FROM v)')
  test('visits in source order, and can pass over a part', () => {
    expect(findAll(statement, 'table').map(({ name }) => name.text)).toEqual(['u', 't', 'v'])
    const outside: string[] = []
    walk(statement, (node) => {
      if (node.kind === 'table') outside.push(node.name.text)
      return node.kind !== 'subquery'
    })
    expect(outside).toEqual(['t'])
  })
  test('spans lie inside those of the parent, in order', () => {
    walk(statement, (node) => {
      let at = node.span.start
      walk(node, (inner) => {
        if (inner !== node) {
          expect(inner.span.start).toBeGreaterThanOrEqual(node.span.start)
          expect(inner.span.end).toBeLessThanOrEqual(node.span.end)
        }
        return inner === node
      }, (inner) => {
        if (inner === node) return
        expect(inner.span.start).toBeGreaterThanOrEqual(at)
        at = inner.span.end
      })
    })
  })
  test('rewrites what changed and shares the rest', () => {
    const qualify = (node: Node): Node => node.kind === 'table' && node.name.text === 'v' ? { ...node, schema: makeName('at 5') } : node
    const changed = transform(statement, qualify)
    expect(printStatement(changed)).toBe('SELECT a, (SELECT b FROM u WHERE c = ?) FROM t WHERE a IN (SELECT d FROM "at 5".v)')
    const columns = (s: Node): unknown => s.kind === 'select' && s.cores[0]?.kind === 'core' ? s.cores[0].columns : null
    expect(columns(changed)).toBe(columns(statement))
    expect(printStatement(statement)).not.toContain('at 5')
  })
})

describe('tables', () => {
  const uses = (text: string): string[] => tableUses(parseStatement(text)).map(({ table, access, cte }) =>
    `${table.name.text} ${access}${cte === null ? '' : ' cte'}`)
  test.each<[string, string[]]>([
    ['SELECT * FROM t JOIN u', ['t read', 'u read']],
    ['WITH t AS (SELECT * FROM u) SELECT * FROM T', ['u read', 'T read cte']],
    ['WITH t AS (SELECT * FROM u) SELECT * FROM main.t', ['u read', 't read']],
    ['WITH a AS (SELECT * FROM b), b AS (SELECT * FROM t) SELECT * FROM a', ['b read cte', 't read', 'a read cte']],
    ['SELECT * FROM t WHERE x IN (WITH t AS (SELECT 1) SELECT * FROM t)', ['t read', 't read cte']],
    ['SELECT * FROM (WITH t AS (SELECT 1) SELECT * FROM t), t', ['t read cte', 't read']],
    ['WITH t AS (SELECT 1) INSERT INTO t SELECT * FROM t', ['t insert', 't read cte']],
    ['WITH t AS (SELECT 1) UPDATE t SET a = 1 FROM u WHERE b IN t', ['t update', 'u read', 't read cte']],
    ['DELETE FROM t WHERE EXISTS (SELECT 1 FROM t)', ['t delete', 't read']],
    ["WITH f AS (SELECT 1) SELECT * FROM f('x')", ['f read']],
    ['WITH "é" AS (SELECT 1) SELECT * FROM "É"', ['É read']],
    ['CREATE TRIGGER r AFTER INSERT ON t BEGIN INSERT INTO u SELECT * FROM v; END', ['u insert', 'v read']],
    ['SELECT a FROM t UNION SELECT b FROM u ORDER BY (SELECT c FROM w)', ['t read', 'u read', 'w read']],
  ])('%s', (text, expected) => {
    expect(uses(text)).toEqual(expected)
    expect(baseTables(parseStatement(text)).every(({ cte }) => cte === null)).toBe(true)
  })
})
