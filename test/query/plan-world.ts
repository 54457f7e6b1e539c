/**
 * Random schemas and statements for the plan's fuzzer, and the engine's ranges over rows that lie in SQLite: as engine/space/rows.ts reads them, byte for
 * byte of the keys.
 */
import { compareBytes } from '../../engine/codec/bytes.js'
import { encodeTuple, encodeTuplePrefix, prefixSuccessor, tupleRange } from '../../engine/codec/tuple.js'
import { type SqlValue } from '../../engine/codec/value.js'
import { isSealError } from '../../engine/errors.js'
import { type RowRange } from '../../engine/space/types.js'
import { canonicalKey, keyIdentity } from '../../query/keys.js'
import { pathsOf, ROWID, type Path } from '../../query/plan-range.js'
import { type PlanSchema, type Ranges } from '../../query/plan.js'
import { type RelationForm } from '../../query/relation-form.js'
import { sameName } from '../../query/sql/names.js'
import { parseStatement } from '../../query/sql/parse.js'
import { type Sqlite } from '../../query/sqlite.js'
import { quoteName } from '../../query/sqlite/names.js'
import { type BuiltSchema, type Random } from './plan-support.js'

const POOL: readonly SqlValue[] = [
  null, 0n, 1n, 2n, 3n, -1n, 1.5, 2.5, -0.5, 'a', 'A', 'a ', 'b', 'B', '', '1', '2.0', '1.5', ' 1', 'x\0y', new Uint8Array([0x61]), new Uint8Array(0), 9007199254740993n, 9007199254740992, 1e300,
]

export function planSchema(built: BuiltSchema): PlanSchema {
  const objects = [...built.schema.values()]
  return {
    find(name) {
      const view = objects.find((each) => each.type === 'view' && sameName(each.name, name))
      if (view === undefined) return built.relation(name)
      const statement = parseStatement(view.sql)
      return statement.kind === 'create-view' ? { select: statement.select } : undefined
    },
    tables: () => built.relations,
    triggers: (name) => objects.flatMap((each) => {
      if (each.type !== 'trigger' || !sameName(each.table, name)) return []
      const statement = parseStatement(each.sql)
      return statement.kind === 'create-trigger' ? [statement] : []
    }),
  }
}

interface Stored { readonly key: readonly SqlValue[]; at(id: number): SqlValue }
export interface Snapshot { readonly relation: RelationForm; readonly rows: readonly Stored[]; readonly remove: string }

export function snapshot(db: Sqlite, built: BuiltSchema): readonly Snapshot[] {
  return built.relations.map((relation) => {
    const names = relation.key.length > 0 ? relation.key.map((id) => quoteName(relation.columns.find((each) => each.id === id)?.name ?? '')) : ['rowid']
    const stored = relation.columns.filter(({ id }) => id !== undefined)
    const table = quoteName(relation.name)
    const rows = db.all(`SELECT ${[...names, ...stored.map(({ name }) => quoteName(name))].join(', ')} FROM ${table}`).map((values): Stored => {
      const key = values.slice(0, names.length)
      return { key, at: (id) => (id === ROWID ? (key[0] as SqlValue) : (values[names.length + stored.findIndex((each) => each.id === id)] as SqlValue)) }
    })
    return { relation, rows, remove: `DELETE FROM ${table} WHERE ${names.map((name) => `${name} = ?`).join(' AND ')}` }
  })
}

/** Deletes what is not in the ranges; gives how many rows went. */
export function restrict(db: Sqlite, tables: readonly Snapshot[], ranges: ReadonlyMap<number, Ranges>): number {
  let gone = 0
  db.silently(() => {
    for (const { relation, rows, remove } of tables) {
      const wanted = ranges.get(relation.id) ?? []
      if (wanted === 'all') continue
      const statement = db.prepare(remove)
      for (const { key, at } of rows) {
        if (wanted.some((range) => inRange(relation, at, range))) continue
        statement.run(key)
        gone++
      }
      statement.finalize()
    }
  })
  return gone
}

function inRange(relation: RelationForm, at: (id: number) => SqlValue, range: RowRange): boolean {
  if (range.kind === 'all') return true
  const index = range.kind === 'index' || range.kind === 'index-range' ? range.index : undefined
  const path = pathsOf(relation).find((each) => each.index === index)
  if (path === undefined) throw new Error('no such index')
  const values = canonicalKey(path.columns.map(at), path.collations)
  if (range.kind === 'key' || range.kind === 'index') return equal(path, values, range.kind === 'key' ? range.key : range.values)
  if (!path.plain) throw new Error('a range over tokens')
  const stored = encodeTuple(values)
  return (range.lo === undefined || compareBytes(stored, tupleRange(range.lo).lo) >= 0) && (range.hi === undefined || compareBytes(stored, tupleRange(range.hi).lo) < 0)
}

function equal(path: Path, stored: readonly SqlValue[], asked: readonly SqlValue[]): boolean {
  if (asked.includes(null)) return false
  if (!path.plain) return stored.length === asked.length && !stored.includes(null) && keyIdentity(canonicalKey(stored, [])) === keyIdentity(canonicalKey(asked, []))
  // No stored key is that long.
  if (tooLong(asked)) return false
  const prefix = encodeTuplePrefix(asked)
  const key = encodeTuple(stored)
  return compareBytes(key, prefix) >= 0 && compareBytes(key, prefixSuccessor(prefix) ?? key) < 0
}

function tooLong(values: readonly SqlValue[]): boolean {
  try {
    encodeTuplePrefix(values)
    return false
  } catch (error) {
    if (isSealError(error, 'key-too-long')) return true
    throw error
  }
}

const KEYS: readonly ((p: string) => readonly [columns: string, constraint: string, names: readonly string[]])[] = [
  (p) => [`id INTEGER PRIMARY KEY ${p}`, '', ['id']],
  (p) => [`id INTEGER PRIMARY KEY ${p}`, '', ['id']],
  (p) => [`id TEXT NOT NULL PRIMARY KEY ${p}`, '', ['id']],
  (p) => [`id TEXT COLLATE NOCASE NOT NULL PRIMARY KEY ${p}`, '', ['id']],
  (p) => [`id NOT NULL PRIMARY KEY ${p}`, '', ['id']],
  (p) => [`id REAL NOT NULL PRIMARY KEY ${p}`, '', ['id']],
  () => ['', '', ['rowid']],
  (p) => [`id INT NOT NULL ${p}, k TEXT NOT NULL ${p}`, 'PRIMARY KEY (id, k)', ['id', 'k']],
  (p) => [`id INT NOT NULL ${p}, k NOT NULL ${p}`, 'PRIMARY KEY (k, id)', ['id', 'k']],
  (p) => [`id NOT NULL ${p}, k TEXT NOT NULL COLLATE RTRIM ${p}`, 'PRIMARY KEY (k, id)', ['id', 'k']],
]

export interface World { readonly script: string; readonly tables: readonly { readonly name: string; readonly columns: readonly string[] }[] }

export function makeWorld(random: Random, writes: boolean): World {
  const tables: { name: string; columns: readonly string[]; keyType: string }[] = []
  let script = ''
  for (const name of ['a', 'b', 'c'].slice(0, 2 + random.below(2))) {
    const [key, constraint, keys] = random.pick(KEYS)(random.pick(['PLAINTEXT', 'PLAINTEXT', '']))
    const plain: string[] = []
    const columns = ['x', 'y', 'z'].map((column) => {
      const visibility = random.pick(['PLAINTEXT', 'PLAINTEXT', 'BLIND', ''])
      if (visibility === 'PLAINTEXT') plain.push(column)
      return `${column} ${random.pick(['', 'TEXT', 'TEXT', 'INTEGER', 'REAL', 'NUMERIC'])} ${random.pick(['', '', '', 'COLLATE NOCASE', 'COLLATE RTRIM'])} ${writes && random.chance(15) ? 'UNIQUE' : ''} ${visibility}`
    })
    if (random.chance(20)) columns.push('g AS (coalesce(x, y))')
    const parent = tables[0]
    let late = ''
    if (writes && parent !== undefined && parent.columns[0] !== 'rowid' && parent.columns.filter((each) => each === 'k').length === 0 && random.chance(50)) {
      const visibility = random.pick(['PLAINTEXT', 'BLIND', ''])
      // Of the parent's type or none: then it is compared otherwise than it lies.
      columns.push(`p ${random.chance(60) ? parent.keyType : ''} REFERENCES ${parent.name}(id) ON DELETE ${random.pick(['CASCADE', 'SET NULL', 'NO ACTION'])} ON UPDATE ${random.pick(['CASCADE', 'CASCADE', 'NO ACTION'])} ${visibility}`)
      if (visibility === 'PLAINTEXT') late = `CREATE INDEX ${name}_p ON ${name} (p);\n`
    }
    script += `CREATE TABLE ${name} (${[key, ...columns, constraint].filter((each) => each !== '').join(', ')}) ${keys[0] !== 'rowid' && random.chance(15) ? 'WITHOUT ROWID' : ''};\n`
    if (plain.length > 0 && random.chance(60)) script += `CREATE INDEX ${name}_1 ON ${name} (${random.chance(50) ? plain.join(', ') : [...plain].reverse().join(', ')});\n`
    if (plain.length > 1 && random.chance(40)) script += `CREATE ${writes && random.chance(30) ? 'UNIQUE' : ''} INDEX ${name}_2 ON ${name} (${random.pick(plain)});\n`
    script += late
    tables.push({ name, columns: [...keys, 'x', 'y', 'z'], keyType: key.split(' ').slice(1).filter((word) => !['NOT', 'NULL', 'PRIMARY', 'KEY', 'PLAINTEXT', ''].includes(word)).join(' ') })
  }
  const [first] = tables
  if (random.chance(40) && first) {
    script += `CREATE VIEW v AS SELECT x, y AS id, z FROM ${first.name} WHERE x = 1;\n`
    tables.push({ name: 'v', columns: ['x', 'id', 'z'], keyType: '' })
  }
  const stored = tables.filter(({ name }) => name !== 'v')
  for (const [at, { name }] of writes ? stored.entries() : []) {
    const target = stored[at + 1]
    if (target !== undefined && random.chance(50)) script += trigger(random, `tr${at}`, name, target)
  }
  return { script, tables }
}

/** What it does depends on the row that fires it. */
function trigger(random: Random, name: string, on: string, { name: target, columns }: World['tables'][number]): string {
  const event = random.pick(['INSERT', 'UPDATE', 'DELETE'])
  const value = (): string => random.chance(70) ? `${event === 'INSERT' ? 'NEW' : event === 'DELETE' ? 'OLD' : random.pick(['OLD', 'NEW'])}.${random.pick(['x', 'y', 'z'])}` : random.pick(["'a'", '1', '2.5'])
  const written = columns.filter((each) => each !== 'rowid')
  const step = random.pick([
    () => `UPDATE ${target} SET z = coalesce(z, 0) || 't' WHERE ${random.pick(['x', 'y', written[0] ?? 'x'])} = ${value()}`,
    () => `UPDATE OR IGNORE ${target} SET ${random.pick(written)} = ${value()} WHERE x = ${value()} AND y IS NOT ${value()}`,
    () => `DELETE FROM ${target} WHERE ${value()} = ${random.pick(['x', 'y', written[0] ?? 'x'])}`,
    () => `INSERT ${random.pick(['OR IGNORE', 'OR IGNORE', 'OR REPLACE', ''])} INTO ${target} (${written.join(', ')}) VALUES (${written.map(value).join(', ')})`,
  ])()
  const when = random.pick(['', '', `WHEN ${value()} IS NOT NULL`, `WHEN EXISTS (SELECT 1 FROM ${target} WHERE x = ${value()})`])
  return `CREATE TRIGGER ${name} ${random.pick(['AFTER', 'AFTER', 'BEFORE'])} ${event} ON ${on} ${when} BEGIN ${step}; END;\n`
}

/** Rows that repeat values often, so that joins and equalities meet. */
export function fill(db: Sqlite, built: BuiltSchema, random: Random): void {
  for (const relation of built.relations) {
    const stored = relation.columns.filter(({ id }) => id !== undefined)
    for (let i = 0; i < 14; i++) {
      const values = stored.map(({ name }) => (name === 'p' ? null : name === 'id' && random.chance(50) ? BigInt(i) : random.pick(POOL)))
      db.run(`INSERT OR IGNORE INTO ${relation.name} (${stored.map(({ name }) => name).join(', ')}) VALUES (${values.map(() => '?').join(', ')})`, values.map((value, at) => (stored[at]?.affinity === 'integer' && stored[at]?.name === 'id' && typeof value !== 'bigint' && relation.keyIsRowid ? BigInt(i + 40) : value)))
    }
  }
}

// ---- statements ---------------------------------------------------------------------------------------------------------------------

interface Scope { readonly alias: string; readonly columns: readonly string[] }

export class Statements {
  readonly #random: Random
  readonly #world: World
  #values: SqlValue[] = []
  #aliases = 0

  constructor(random: Random, world: World) {
    this.#random = random
    this.#world = world
  }

  select(): { readonly sql: string; readonly values: readonly SqlValue[] } {
    this.#values = []
    const r = this.#random
    const sql = r.below(10) === 0 ? this.#withCte() : r.below(8) === 0 ? `${this.#core([], 2)} ${r.pick(['UNION ALL', 'UNION', 'EXCEPT', 'INTERSECT'])} ${this.#core([], 2)}` : this.#core([], 2)
    return { sql, values: used(sql, this.#values) }
  }

  write(): { readonly sql: string; readonly values: readonly SqlValue[] } {
    this.#values = []
    const r = this.#random
    const { name, columns } = r.pick(this.#world.tables.filter((each) => each.name !== 'v'))
    const scope = [{ alias: name, columns }]
    const where = r.chance(85) ? ` WHERE ${this.#condition(scope, 2)}` : ''
    const written = columns.filter((each) => each !== 'rowid')
    const sql = r.pick([
      () => `DELETE FROM ${name}${where} RETURNING x, y`,
      () => `UPDATE ${r.pick(['', 'OR IGNORE ', 'OR REPLACE '])}${name} SET ${r.pick(r.chance(60) ? ['x', 'y', 'z'] : written)} = ${this.#constant()}${where} RETURNING x, y`,
      () => `UPDATE ${name} SET z = o.x FROM ${r.pick(this.#world.tables).name} AS o WHERE ${name}.x = o.x AND ${this.#condition(scope, 1)}`,
      () => `INSERT ${r.pick(['', 'OR IGNORE ', 'OR REPLACE '])}INTO ${name} (${written.join(', ')}) VALUES (${written.map(() => this.#constant()).join(', ')})${r.chance(30) ? ' ON CONFLICT DO NOTHING' : ''}`,
      () => `INSERT INTO ${name} (${written.join(', ')}) VALUES (${written.map(() => this.#constant()).join(', ')}) ON CONFLICT DO UPDATE SET ${r.pick(written)} = ${r.pick([this.#constant(), 'excluded.x'])}`,
      () => `INSERT OR IGNORE INTO ${name} (${written.join(', ')}) SELECT ${written.map(() => r.pick(['x', 'y', 'z', this.#constant()])).join(', ')} FROM ${r.pick(this.#world.tables).name} AS s WHERE ${this.#condition([{ alias: 's', columns: ['x', 'y', 'z'] }], 1)}`,
      () => `INSERT OR IGNORE INTO ${name} (x, y) SELECT x, y FROM ${r.pick(this.#world.tables).name} AS s WHERE ${this.#condition([{ alias: 's', columns: ['x', 'y', 'z'] }], 1)}`,
    ])()
    return { sql, values: used(sql, this.#values) }
  }

  #withCte(): string {
    return `WITH q AS (${this.#core([], 1)}) ${this.#random.pick(['SELECT * FROM q', `SELECT * FROM q AS q1 JOIN q AS q2`, `SELECT count(*) FROM q WHERE 1 IN (SELECT 1 FROM q)`])}`
  }

  /** Always three columns, for compound queries. */
  #core(outer: readonly Scope[], depth: number): string {
    const r = this.#random
    const { text, scope } = this.#from(depth)
    const all = [...scope, ...(r.chance(30) ? outer : [])]
    const sharp = r.chance(50) ? `${this.#column(scope)} ${r.pick(['=', '=', 'IS', '>=', '<='])} ${this.#constant()}${r.chance(50) ? ' AND ' : ' OR '}` : ''
    const where = r.chance(90) ? ` WHERE ${sharp}${this.#condition(all, sharp === '' ? 3 : 1, depth)}` : ''
    const one = (): string => this.#column(scope)
    const tail = r.below(10)
    if (tail === 0) return `SELECT count(*), min(${one()}), max(${one()}) FROM ${text}${where}`
    if (tail === 1) {
      const by = one()
      return `SELECT ${by}, count(*), count(${one()}) FROM ${text}${where} GROUP BY ${by}${r.chance(30) ? ` HAVING ${by} = ${this.#constant()}` : ''}`
    }
    return `SELECT ${r.chance(15) ? 'DISTINCT ' : ''}${one()} AS c1, ${one()} AS c2, ${depth > 0 && r.chance(8) ? `(SELECT count(*) FROM ${r.pick(this.#world.tables).name} WHERE ${this.#condition(scope, 1, 0)})` : one()} AS c3 FROM ${text}${where}`
  }

  #from(depth: number): { readonly text: string; readonly scope: readonly Scope[] } {
    const r = this.#random
    const scope: Scope[] = []
    let text = this.#source(scope, depth)
    for (let joins = r.pick([0, 0, 1, 1, 2]); joins > 0; joins--) {
      const type = r.pick(['JOIN', 'JOIN', 'CROSS JOIN', 'LEFT JOIN', 'LEFT JOIN', 'LEFT JOIN', 'RIGHT JOIN', 'FULL JOIN', ',', 'NATURAL JOIN', 'NATURAL LEFT JOIN'])
      let right: string
      if (r.chance(12)) {
        const inner: Scope[] = []
        right = `(${this.#source(inner, 0)} ${r.pick(['JOIN', 'LEFT JOIN', 'FULL JOIN'])} ${this.#source(inner, 0)} ON ${this.#condition(inner, 2, 0)})`
        scope.push(...inner)
      } else right = this.#source(scope, depth)
      text += type === ',' ? `, ${right}` : ` ${type} ${right}`
      if (type !== ',' && !type.startsWith('NATURAL')) text += r.chance(10) ? ` USING (${r.pick(['x', 'y'])})` : ` ON ${this.#condition(scope, 2, 0)}`
    }
    return { text, scope }
  }

  #source(scope: Scope[], depth: number): string {
    const r = this.#random
    const { name, columns } = r.pick(this.#world.tables)
    const alias = r.chance(70) ? `t${this.#aliases++}` : name
    if (depth > 0 && r.chance(12)) {
      scope.push({ alias: `d${this.#aliases}`, columns: ['c1', 'c2', 'c3'] })
      return `(SELECT ${columns.filter((each) => each !== 'rowid').slice(-3).map((each, i) => `${each} AS c${i + 1}`).join(', ')} FROM ${name} WHERE ${this.#condition([{ alias: name, columns }], 1, 0)}) AS d${this.#aliases++}`
    }
    scope.push({ alias, columns })
    return alias === name ? name : `${name} AS ${alias}`
  }

  #column(scope: readonly Scope[]): string {
    const { alias, columns } = this.#random.pick(scope)
    const column = this.#random.pick(columns)
    return this.#random.chance(25) ? column : `${alias}.${column}`
  }

  #condition(scope: readonly Scope[], size: number, depth = 0): string {
    const r = this.#random
    if (size > 0 && r.chance(60)) {
      const [a, b] = [this.#condition(scope, size - 1, depth), this.#condition(scope, size - 1, depth)]
      return r.pick([`${a} AND ${b}`, `${a} AND ${b}`, `(${a} OR ${b})`, `${a} AND (${b})`, `NOT (${a} AND ${b})`])
    }
    const c = this.#column(scope)
    const operator = r.pick(['=', '=', '=', '=', '==', '<', '<=', '>', '>=', 'IS', 'IS NOT', '<>', 'IS NOT DISTINCT FROM'])
    return r.pick([
      () => `${c} ${operator} ${this.#constant()}`,
      () => `${c} ${operator} ${this.#constant()}`,
      () => `${c} = ${this.#constant()}`,
      () => `${this.#constant()} ${operator} ${c}`,
      () => `${c} ${r.chance(20) ? 'NOT ' : ''}BETWEEN ${this.#constant()} AND ${this.#constant()}`,
      () => `${c} ${r.chance(20) ? 'NOT ' : ''}IN (${Array.from({ length: r.below(4) }, () => this.#constant()).join(', ')})`,
      () => `${c} = ${this.#column(scope)}`,
      () => `${c} = ${this.#column(scope)}`,
      () => r.pick([`${c} IS NULL`, `${c} NOTNULL`, `${c} LIKE 'a%'`, `+${c} = ${this.#constant()}`, `coalesce(${c}, 1) = 1`, `(${c}, ${c}) = (1, 1)`, `${c}`, `CASE WHEN ${c} = 1 THEN 0 ELSE 1 END`]),
      () => `${c} ${r.pick(['=', '<', '>='])} ${this.#constant()} COLLATE ${r.pick(['NOCASE', 'RTRIM', 'BINARY'])}`,
      () => `${c} COLLATE ${r.pick(['NOCASE', 'BINARY'])} = ${this.#constant()}`,
      () => depth === 0 ? `${c} = 1` : r.pick([
        () => `EXISTS (${this.#core(scope, depth - 1)})`,
        () => `${c} IN (SELECT x FROM ${r.pick(this.#world.tables).name} WHERE ${this.#condition(scope, 1, 0)})`,
        () => `${c} = (SELECT max(x) FROM ${r.pick(this.#world.tables).name} WHERE ${this.#condition(scope, 1, 0)})`,
      ])(),
    ])()
  }

  #constant(): string {
    const r = this.#random
    // Longer than any key.
    const value = r.below(40) === 0 ? 'long '.repeat(70) : r.pick(POOL)
    if (r.chance(35)) {
      return `?${this.#values.push(value)}`
    }
    const text = typeof value === 'string' && value.includes('\0') ? "'a'" : literal(value)
    return r.below(8) > 0 ? text : r.pick([`abs(${text})`, `CAST(${text} AS ${r.pick(['TEXT', 'INTEGER', 'REAL', 'BLOB'])})`, `(${text} || '')`, `(${text} + 0)`, `coalesce(${text}, 1)`, `lower(${text})`, `max(${text}, 1)`, `unlikely(${text})`, `random() * 0`])
  }
}

/** Some that were drawn stand nowhere. */
function used(sql: string, values: readonly SqlValue[]): readonly SqlValue[] {
  return values.slice(0, Math.max(0, ...[...sql.matchAll(/\?(\d+)/g)].map((match) => Number(match[1]))))
}

function literal(value: SqlValue): string {
  if (value === null) return 'NULL'
  if (typeof value === 'string') return `'${value}'`
  if (value instanceof Uint8Array) return `x'${Buffer.from(value).toString('hex')}'`
  return typeof value === 'number' && Number.isInteger(value) ? `${value.toExponential()}` : String(value)
}

