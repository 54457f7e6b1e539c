/**
 * Past states as attached schemas: each is a mirror of its own, verified like any other, then copied page by page. It holds the rows of the tables
 * that were asked for so far. At most 8, least recently used first out.
 */
import { type SpaceReader } from '../engine/space/port.js'
import { Capture } from './capture.js'
import { isTable } from './catalog.js'
import { Mirror } from './materialise.js'
import { pastSchema, type PastReads } from './rewrite.js'
import { foldName } from './sql/names.js'
import { type Sqlite } from './sqlite.js'
import { quoteName } from './sqlite/names.js'

/** SQLite attaches at most 10; one holds the relations. */
const MAX_PAST = 8

export class Past {
  readonly #space: SpaceReader
  readonly #db: Sqlite
  readonly #scratch: () => Sqlite
  /** By size, the names whose rows are there. */
  readonly #attached = new Map<number, ReadonlySet<string>>()

  constructor(space: SpaceReader, db: Sqlite, scratch: () => Sqlite) {
    this.#space = space
    this.#db = db
    this.#scratch = scratch
  }

  has(reads: PastReads): boolean {
    return [...reads].every(([size, names]) => isWithin(names, this.#attached.get(size)))
  }

  /** No transaction is open, and no statement that reads what may be detached is prepared. Throws `bad-argument` for a size that is not. */
  async attach(reads: PastReads): Promise<void> {
    for (const [size, names] of reads) {
      const held = this.#attached.get(size)
      const wanted = new Set([...(held ?? []), ...names])
      if (held === undefined || held.size < wanted.size) await this.#make(size, wanted, reads)
      this.#attached.delete(size) // and to the end: used last
      this.#attached.set(size, wanted)
    }
  }

  async #make(size: number, names: ReadonlySet<string>, needed: PastReads): Promise<void> {
    const view = await this.#space.at(size)
    const scratch = this.#scratch()
    try {
      const mirror = new Mirror(scratch, new Capture(scratch), view)
      try {
        const tables = [...mirror.schema.values()].filter(isTable)
        const named = tables.filter(({ name }) => names.has(foldName(name)))
        // A name that is no table then may be a view: of whatever.
        mirror.load((named.length === names.size ? named : tables).map(({ id }) => id))
      } finally {
        mirror.close()
      }
      if (this.#attached.has(size)) this.#detach(size)
      while (this.#attached.size >= MAX_PAST) {
        const oldest = [...this.#attached.keys()].find((each) => !needed.has(each))
        if (oldest === undefined) break
        this.#detach(oldest)
      }
      this.#db.exec(`ATTACH ':memory:' AS ${quoteName(pastSchema(size))}`)
      try {
        this.#db.copyFrom(scratch, pastSchema(size))
      } catch (error) {
        this.#db.exec(`DETACH ${quoteName(pastSchema(size))}`)
        throw error
      }
    } finally {
      view.release()
      scratch.close()
    }
  }

  #detach(size: number): void {
    this.#db.exec(`DETACH ${quoteName(pastSchema(size))}`)
    this.#attached.delete(size)
  }
}

function isWithin(names: ReadonlySet<string>, held: ReadonlySet<string> | undefined): boolean {
  return held !== undefined && [...names].every((name) => held.has(name))
}
