/**
 * Random schemas and statements: what capture reports, applied to a copy as row images, makes the copy equal to the original. A failing seed prints itself.
 */
import { expect, test } from 'vitest'
import { isSealError } from '../../engine/errors.js'
import { type SqlValue } from '../../engine/codec/value.js'
import { Capture } from '../../query/capture.js'
import { TableImages } from '../../query/images.js'
import { canonicalKey, keyIdentity } from '../../query/keys.js'
import { openSqlite, type Sqlite } from '../../query/sqlite.js'
import { describeTable, type TableForm } from '../../query/sqlite/form.js'
import { quoteName } from '../../query/sqlite/names.js'

const sqlite = await openSqlite()

class Random {
  #state: number
  constructor(seed: number) {
    this.#state = seed
  }
  below(n: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % n
  }
  chance(percent: number): boolean {
    return this.below(100) < percent
  }
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }
}

interface Schema { readonly sql: string; readonly tables: readonly string[]; readonly keys: ReadonlyMap<string, readonly string[]>; readonly columns: ReadonlyMap<string, readonly string[]> }

const KEYS = [
  ['id INTEGER PRIMARY KEY', ['id'], ''],
  ['id INTEGER PRIMARY KEY AUTOINCREMENT', ['id'], ''],
  ['', ['rowid'], ''],
  ['id TEXT NOT NULL PRIMARY KEY COLLATE NOCASE', ['id'], ''],
  ['id TEXT NOT NULL PRIMARY KEY', ['id'], ''],
  ['id PRIMARY KEY NOT NULL', ['id'], ''],
  ['id REAL NOT NULL PRIMARY KEY', ['id'], ''],
  ['id INTEGER NOT NULL PRIMARY KEY DESC', ['id'], ''],
  ['id TEXT COLLATE RTRIM PRIMARY KEY', ['id'], 'WITHOUT ROWID'],
  ['id INT PRIMARY KEY', ['id'], 'WITHOUT ROWID'],
  ['id INT NOT NULL, "the ""key" TEXT NOT NULL COLLATE NOCASE', ['id', '"the ""key"'], ''],
  ['id INT NOT NULL, "the ""key" TEXT NOT NULL COLLATE NOCASE', ['"the ""key"', 'id'], 'WITHOUT ROWID'],
] as const

function makeSchema(random: Random): Schema {
  const tables = ['one', 'two', '"odd ""name"'].slice(0, 1 + random.below(3))
  const keys = new Map<string, readonly string[]>()
  const columns = new Map<string, readonly string[]>()
  const sql: string[] = []
  for (const table of tables) {
    const [declared, key, tail] = random.pick(KEYS)
    keys.set(table, key)
    const parts: string[] = [...(declared === '' ? [] : [declared])]
    const names: string[] = key[0] === 'rowid' ? ['rowid'] : [...key]
    const add = (name: string, text: string): void => {
      parts.push(`${name} ${text}`)
      names.push(name)
    }
    add('u', random.pick(['', 'UNIQUE', 'TEXT COLLATE NOCASE UNIQUE', 'INTEGER UNIQUE ON CONFLICT REPLACE', 'REAL UNIQUE']))
    add('v', random.pick(['', 'TEXT', 'INTEGER', 'NUMERIC DEFAULT 7', 'TEXT NOT NULL ON CONFLICT REPLACE DEFAULT \'d\'']))
    add('w', random.pick(['BLOB', 'TEXT', '']))
    const parent = random.pick(tables)
    const parentKey = keys.get(parent)
    if (random.chance(60) && parentKey?.length === 1 && parentKey[0] !== 'rowid') {
      const action = (): string => random.pick(['CASCADE', 'SET NULL', 'SET DEFAULT', 'NO ACTION', 'RESTRICT'])
      add('p', `REFERENCES ${parent}(${parentKey[0] ?? ''}) ON DELETE ${action()} ON UPDATE ${action()} ${random.chance(50) ? 'DEFERRABLE INITIALLY DEFERRED' : ''}`)
    }
    if (random.chance(30)) parts.push(`g AS (coalesce(v, 0) || 'g') ${random.pick(['', 'STORED', 'UNIQUE', 'STORED UNIQUE'])}`)
    if (random.chance(20)) parts.push('UNIQUE (v, w)')
    if (key.length > 1) parts.push(`PRIMARY KEY (${key.join(', ')})`)
    // A rowid that is not the identity can be written all the same, and replace another row.
    if (tail === '' && key[0] !== 'rowid' && random.chance(50)) names.push('rowid')
    columns.set(table, names)
    sql.push(`CREATE TABLE ${table}(${parts.join(', ')}) ${tail}`)
    if (random.chance(30)) sql.push(`CREATE UNIQUE INDEX ${quoteName(`i1${table}`)} ON ${table}(lower(w), coalesce(v, 'none)') COLLATE NOCASE DESC)`)
    if (random.chance(30)) sql.push(`CREATE UNIQUE INDEX ${quoteName(`i2${table}`)} ON ${table}(w COLLATE NOCASE) /* (comment */ WHERE v > 2 AND w <> 'where'`)
  }
  for (let i = random.below(4); i > 0; i--) {
    const [on, to] = [random.pick(tables), random.pick(tables)]
    const event = random.pick(['INSERT', 'UPDATE', 'DELETE', 'UPDATE OF v'])
    const row = event === 'DELETE' ? 'OLD' : event === 'INSERT' ? 'NEW' : random.pick(['NEW', 'OLD'])
    const key = (keys.get(on) ?? []).map((name) => `${name} IS ${row}.${name}`).join(' AND ')
    const body = random.pick([
      `UPDATE ${on} SET v = coalesce(v, 0) + 1 WHERE ${key}`,
      `UPDATE OR REPLACE ${to} SET u = ${row}.u WHERE v = ${row}.v`,
      `DELETE FROM ${to} WHERE v = ${row}.v`,
      `INSERT OR REPLACE INTO ${to}(u, w) VALUES (${row}.v, ${row}.u)`,
      `INSERT OR IGNORE INTO ${to}(u, v) VALUES (${row}.w, 3)`,
      `SELECT RAISE(IGNORE) WHERE ${row}.v = 4`,
      `SELECT RAISE(${random.pick(['ABORT', 'FAIL', 'ROLLBACK'])}, 'no') WHERE ${row}.v = 5`,
    ])
    sql.push(`CREATE TRIGGER g${i} ${random.pick(['BEFORE', 'AFTER'])} ${event} ON ${on} BEGIN ${body}; END`)
  }
  return { sql: sql.join(';\n'), tables, keys, columns }
}

const VALUES = ['NULL', '0', '1', '2', '3', '4', '5', '-1', '2.0', '2.5', "'a'", "'A'", "'a '", "'b'", "'2'", "x'61'", '9223372036854775807', "'where'"]

function makeStatement(random: Random, { tables, keys, columns }: Schema): string {
  const table = random.pick(tables)
  const names = columns.get(table) ?? []
  const value = (): string => random.pick(VALUES)
  const or = random.chance(55) ? '' : ` OR ${random.pick(['REPLACE', 'REPLACE', 'REPLACE', 'IGNORE', 'FAIL', 'ABORT', 'ROLLBACK'])}`
  const some = names.filter((name) => (name === 'id' ? random.chance(75) : random.chance(65)))
  const chosen = some.length === 0 ? ['u'] : some
  const where = (of: readonly string[] = names): string => (random.chance(15) ? '' : ` WHERE ${random.pick(of)} ${random.pick(['=', '<', '>', 'IS'])} ${value()}`)
  switch (random.below(10)) {
    case 0: case 1: case 2: case 3: {
      const rows = Array.from({ length: 1 + random.below(4) }, () => `(${chosen.map(value).join(', ')})`)
      const upsert = or !== '' || random.chance(70) ? '' : random.pick([' ON CONFLICT DO NOTHING', ` ON CONFLICT DO UPDATE SET v = excluded.v, u = ${value()}`, ` ON CONFLICT DO UPDATE SET ${random.pick(names)} = ${value()}`])
      return `INSERT${or} INTO ${table}(${chosen.join(', ')}) VALUES ${rows.join(', ')}${upsert}${random.chance(20) ? ' RETURNING *' : ''}`
    }
    case 4: {
      const from = random.pick(tables)
      return `INSERT${or} INTO ${table}(u, v, w) SELECT w, v, u FROM ${from}${where(columns.get(from))} LIMIT 5`
    }
    case 5: case 6: case 7: {
      const sets = [...new Set([random.pick(names), random.pick(names)])].map((name) => `${name} = ${random.chance(70) ? value() : `${random.pick(names.filter((n) => n !== 'rowid'))} + 1`}`)
      const other = random.pick(tables)
      if (random.chance(20) && other !== table) return `UPDATE${or} ${table} SET v = x.v, u = x.w FROM ${other} AS x WHERE x.u = ${table}.u`
      return `UPDATE${or} ${table} SET ${sets.join(', ')}${where()}`
    }
    default:
      return random.chance(20) ? `REPLACE INTO ${table}(${[...(keys.get(table) ?? []), 'u'].join(', ')}) VALUES (${[...(keys.get(table) ?? []), 'u'].map(value).join(', ')})` : `DELETE FROM ${table}${where()}`
  }
}

function dump(db: Sqlite, form: TableForm): SqlValue[][] {
  const names = [...form.columns.map(({ name }) => quoteName(name)), ...(form.keySlots.length === 0 ? form.keyNames : [])]
  return db.all(`SELECT ${names.join(', ')} FROM ${quoteName(form.name)} ORDER BY ${form.keyNames.join(', ')}`)
}

function byKey(db: Sqlite, form: TableForm): Map<string | number, SqlValue[]> {
  const rows = db.all(`SELECT ${[...form.keyNames, ...form.columns.map(({ name }) => quoteName(name))].join(', ')} FROM ${quoteName(form.name)}`)
  const count = form.keyNames.length
  return new Map(rows.map((row) => [keyIdentity(canonicalKey(row.slice(0, count), form.keyCollations)), row.slice(count)]))
}

function runSeed(seed: number, transactions: number): { readonly statements: number; readonly changes: number; readonly lost: number } {
  const random = new Random(seed)
  const schema = makeSchema(random)
  const [live, copy] = [sqlite.database(), sqlite.database()]
  const counts = { statements: 0, changes: 0, lost: 0 }
  try {
    for (const db of [live, copy]) {
      db.exec(schema.sql)
      db.exec('PRAGMA foreign_keys = ON')
    }
    const capture = new Capture(live, 5_000)
    const tables = schema.tables.map((name, i) => ({ id: i + 1, name: name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name }))
    capture.install(tables)
    const images = tables.map(({ name }) => new TableImages(copy, describeTable(copy, name), () => 0))
    for (let t = 0; t < transactions; t++) {
      live.exec('BEGIN')
      capture.begin()
      const ran: string[] = []
      for (let s = 1 + random.below(4); s > 0 && live.inTransaction; s--) {
        const sql = makeStatement(random, schema)
        ran.push(sql)
        counts.statements++
        try {
          live.run(sql)
        } catch (error) {
          if (isSealError(error, 'too-large')) continue // triggers can feed each other exponentially
          if (!isSealError(error, 'sql-error')) throw error
          if (error.facts['name'] === 'SQLITE_ERROR' && !/generated column|RAISE|cannot UPDATE|no such column: rowid|has no column named rowid|too many levels/.test(error.message) && error.message !== 'no') throw new Error(`bad statement ${sql}: ${error.message}`, { cause: error.cause })
        }
      }
      if (!live.inTransaction) {
        expect(() => capture.collect({ row: () => undefined })).toThrow('rolled the whole transaction back')
        counts.lost++
        continue
      }
      const base = images.map(({ form }) => byKey(copy, form))
      const deltas = capture.collect({ row: (table, key) => base[table - 1]?.get(keyIdentity(key)) })
      try {
        live.exec('COMMIT')
      } catch (error) {
        if (!isSealError(error, 'sql-error')) throw error
        live.exec('ROLLBACK')
        continue
      }
      counts.changes += deltas.length
      copy.exec('BEGIN')
      images.forEach((table, i) => table.apply(deltas.filter((delta) => delta.table === i + 1).map(({ key, after }) => ({ key, row: after, version: t }))))
      copy.exec('COMMIT')
      for (const { form, quarantinedCount } of images) {
        if (quarantinedCount !== 0) throw new Error(`quarantined in ${form.name}: ${String(images.flatMap((i) => [...i.quarantined()].map(({ key, row, reason }) => `${reason}: ${String(key)} → ${row.map((v) => `${typeof v} ${String(v)}`).join(', ')}`)))} after\n${ran.join(';\n')}`)
        const [expected, found] = [dump(live, form), dump(copy, form)]
        try {
          expect(found).toEqual(expected)
        } catch (error) {
          throw new Error(`table ${form.name} after\n${ran.join(';\n')}`, { cause: error })
        }
      }
    }
  } catch (cause) {
    throw new Error(`seed ${seed} failed: ${cause instanceof Error ? cause.message : String(cause)}\n${schema.sql}`, { cause })
  } finally {
    live.close()
    copy.close()
  }
  return counts
}

test('captured changes make a copy equal to the original', () => {
  const first = Number(process.env['SEALDB_FUZZ_SEED'] ?? 1)
  const seeds = Number(process.env['SEALDB_FUZZ_SEEDS'] ?? 110)
  const total = { statements: 0, changes: 0, lost: 0 }
  for (let seed = first; seed < first + seeds; seed++) {
    const { statements, changes, lost } = runSeed(seed, 30)
    total.statements += statements
    total.changes += changes
    total.lost += lost
  }
  console.log(`capture fuzz: seeds ${first}…${first + seeds - 1}, ${total.statements} statements, ${total.changes} row changes, ${total.lost} transactions lost to ROLLBACK`)
  expect(total.changes).toBeGreaterThan(seeds * 10)
})
