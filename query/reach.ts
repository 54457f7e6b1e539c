/**
 * Which tables a statement reads and writes, views, triggers, cascades and all: SQLite's own program says. A cursor on a table or index is opened
 * by its root page; so what is not here can't be touched by running it.
 */
import { type SqlValue } from '../engine/codec/value.js'
import { type ObjectId } from '../engine/space/types.js'
import { findObject, type Schema } from './catalog.js'
import { type Sqlite } from './sqlite.js'

export interface Reach {
  readonly reads: ReadonlySet<ObjectId>
  readonly writes: ReadonlySet<ObjectId>
  /** It asks SQLite about tables in general, as integrity checks do. */
  readonly all: boolean
}

const OPENS_READ = new Set(['OpenRead', 'ReopenIdx'])
const MAIN = 0n

/** Root pages of the main schema; make a new one when the schema changes. */
export class Roots {
  readonly #tables = new Map<bigint, ObjectId>()

  constructor(db: Sqlite, schema: Schema) {
    for (const [root, table] of db.all('SELECT rootpage, tbl_name FROM main.sqlite_schema WHERE rootpage > 0')) {
      const object = findObject(schema, 'table', String(table))
      if (object !== undefined) this.#tables.set(root as bigint, object.id)
    }
  }

  /** Throws what SQLite throws for a statement that it can't prepare. */
  reach(db: Sqlite, sql: string): Reach {
    const reads = new Set<ObjectId>()
    const writes = new Set<ObjectId>()
    let virtual = false
    for (const { opcode, p1, p2, p3 } of db.program(sql)) {
      if (opcode === 'VOpen') virtual = true
      else if (opcode === 'Clear') this.#add(writes, p1, p2)
      else if (opcode === 'OpenWrite') this.#add(writes, p2, p3)
      else if (OPENS_READ.has(opcode)) this.#add(reads, p2, p3)
    }
    return { reads, writes, all: virtual && /pragma_/i.test(sql) }
  }

  #add(to: Set<ObjectId>, root: SqlValue, database: SqlValue): void {
    const table = database === MAIN ? this.#tables.get(root as bigint) : undefined
    if (table !== undefined) to.add(table)
  }
}
