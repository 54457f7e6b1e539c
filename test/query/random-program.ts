/**
 * Random programs: transactions of statements over a random schema, which they also change. Texts only, so that a failing program can be cut down and kept.
 */
import { makeSchema, makeStatement, Random, VALUES, type RandomSchema } from './random-sql.js'

/** Each inner list is run as it is, BEGIN and COMMIT included; no transaction is open after it. */
export type Program = readonly (readonly string[])[]

/** The greatest rowid there is makes SQLite take random ones. */
const SAFE_VALUES = VALUES.filter((value) => value !== '9223372036854775807')

export function makeProgram(seed: number, transactions: number): Program {
  const random = new Random(seed)
  const world = new Evolving(random, makeSchema(random, { looseRowids: false }))
  const program: string[][] = [world.script]
  for (let t = 0; t < transactions; t++) program.push(transaction(random, world))
  return program
}

function transaction(random: Random, world: Evolving): string[] {
  const some = (): string[] => Array.from({ length: 1 + random.below(3) }, () => (random.chance(14) ? world.definition() : orderless(makeStatement(random, world.schema, SAFE_VALUES)).replace(/= [^=,]+? \+ 1(?=,| WHERE|$)/g, '= 2')))
  if (random.chance(45)) return some()
  const body = some()
  for (let i = random.below(3); i > 0; i--) {
    const name = random.pick(['a', 'b', '"Savepoint C"'])
    body.push(`SAVEPOINT ${name}`, ...some(), random.chance(60) ? `ROLLBACK TO ${name}` : `RELEASE ${name}`)
    if (random.chance(40)) body.push(...some())
  }
  const [begin, end] = random.chance(15) ? ['SAVEPOINT outer', random.chance(70) ? 'RELEASE outer' : 'ROLLBACK TO outer; RELEASE outer'] : ['BEGIN', random.chance(75) ? 'COMMIT' : 'ROLLBACK']
  // A statement may have ended it (OR ROLLBACK), or COMMIT fails for a deferred foreign key: then this ends it.
  return [begin, ...body, ...end.split('; '), 'ROLLBACK']
}

/**
 * Which of several rows wins when they collide depends on the order in which SQLite visits them, and that on the plan: capture's triggers may change it. So
 * an UPDATE either does all or nothing, and does not move values along (u = u + 1 over UNIQUE).
 */
const orderless = (sql: string): string => sql.replace(/\bUPDATE OR \w+/g, 'UPDATE').replaceAll(' ON CONFLICT REPLACE', '')

/** A schema that changes; it may believe in what a rollback took back: then statements fail, on both sides. */
class Evolving {
  readonly script: string[]
  schema: RandomSchema
  readonly #random: Random
  #names = 0

  constructor(random: Random, schema: RandomSchema) {
    this.#random = random
    this.schema = schema
    // One DDL statement a line; triggers hold semicolons of their own.
    this.script = orderless(schema.sql).split(/;\n(?=CREATE)/)
    if (random.chance(60)) this.script.unshift('PRAGMA foreign_keys = ON')
  }

  definition(): string {
    const random = this.#random
    const { tables, columns } = this.schema
    const table = random.pick(tables)
    const added = (columns.get(table) ?? []).filter((name) => name.startsWith('added'))
    const name = `made${this.#names++}`
    switch (random.below(12)) {
      case 0: case 1: {
        const column = `added${this.#names}`
        this.#setColumns(table, [...(columns.get(table) ?? []), column])
        return `ALTER TABLE ${table} ADD COLUMN ${column} ${random.pick(['', 'TEXT', "DEFAULT 'x'", 'INTEGER DEFAULT 7', 'REAL DEFAULT 2', 'NOT NULL DEFAULT 0', 'COLLATE NOCASE'])}`
      }
      case 2: {
        if (added.length === 0) return `CREATE INDEX ${name} ON ${table} (v, u)`
        const [from, to] = [random.pick(added), `added_again${this.#names}`]
        this.#setColumns(table, (columns.get(table) ?? []).map((each) => (each === from ? to : each)))
        return `ALTER TABLE ${table} RENAME COLUMN ${from} TO ${to}`
      }
      case 3: {
        if (added.length === 0) return `CREATE VIEW ${name} AS SELECT v, count(*) AS n FROM ${table} GROUP BY v`
        const gone = random.pick(added)
        this.#setColumns(table, (columns.get(table) ?? []).filter((each) => each !== gone))
        return `ALTER TABLE ${table} DROP COLUMN ${gone}`
      }
      case 4: return `CREATE ${random.pick(['', 'UNIQUE '])}INDEX ${name} ON ${table} (${random.pick(['v', 'w', 'u, v', 'lower(w)', 'v COLLATE NOCASE', 'w) WHERE (v > 1'])})`
      case 5: return `DROP INDEX IF EXISTS made${random.below(this.#names)}`
      case 6: return `CREATE VIEW ${name} AS SELECT * FROM ${table} WHERE v IS NOT NULL`
      case 7: return `DROP VIEW IF EXISTS made${random.below(this.#names)}`
      case 8: return `CREATE TRIGGER ${name} AFTER ${random.pick(['INSERT', 'DELETE', 'UPDATE OF w'])} ON ${table} BEGIN UPDATE ${random.pick(tables)} SET w = 'seen' WHERE v = 2; END`
      case 9: return `DROP TRIGGER IF EXISTS ${random.chance(50) ? `g${1 + random.below(3)}` : `made${random.below(this.#names)}`}`
      case 10: {
        const to = `renamed${this.#names}`
        if (tables.length < 2 || table === 'one') return 'ANALYZE'
        this.#rename(table, to)
        return `ALTER TABLE ${table} RENAME TO ${to}`
      }
      default:
        return `CREATE TABLE ${name} AS SELECT u, v, w FROM ${table} ORDER BY 1, 2, 3`
    }
  }

  #setColumns(table: string, names: readonly string[]): void {
    this.schema = { ...this.schema, columns: new Map([...this.schema.columns, [table, names]]) }
  }

  #rename(from: string, to: string): void {
    const { tables, keys, columns } = this.schema
    const moved = <T>(map: ReadonlyMap<string, T>): Map<string, T> => new Map([...map].map(([name, value]) => [name === from ? to : name, value]))
    this.schema = { ...this.schema, tables: tables.map((name) => (name === from ? to : name)), keys: moved(keys), columns: moved(columns) }
  }
}
