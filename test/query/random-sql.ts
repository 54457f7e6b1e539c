/**
 * Random schemas and statements: keys of every kind, unique values, triggers, foreign keys, generated columns, every conflict clause. Some statements
 * fail, and are meant to.
 */
import { quoteName } from '../../query/sqlite/names.js'

/** Mulberry32: the same seed, the same schema and statements. */
export class Random {
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

export interface RandomSchema { readonly sql: string; readonly tables: readonly string[]; readonly keys: ReadonlyMap<string, readonly string[]>; readonly columns: ReadonlyMap<string, readonly string[]> }

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

export interface SchemaOptions {
  /** Write rowids, too, that are not the identity: they differ between devices. Default true. */
  readonly looseRowids?: boolean
}

export function makeSchema(random: Random, { looseRowids = true }: SchemaOptions = {}): RandomSchema {
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
    if (tail === '' && key[0] !== 'rowid' && random.chance(50) && looseRowids) names.push('rowid')
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

export const VALUES: readonly string[] = ['NULL', '0', '1', '2', '3', '4', '5', '-1', '2.0', '2.5', "'a'", "'A'", "'a '", "'b'", "'2'", "x'61'", "'61'", "'2n'", '9e999', '-9e999', '9223372036854775807', "'where'"]

export function makeStatement(random: Random, { tables, keys, columns }: RandomSchema, values: readonly string[] = VALUES): string {
  const table = random.pick(tables)
  const names = columns.get(table) ?? []
  const value = (): string => random.pick(values)
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
