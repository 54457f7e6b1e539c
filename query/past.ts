/** Past states as attached schemas: each is a mirror of its own, verified like any other, then copied page by page. At most 8, least recently used first out. */
import { type SpaceReader } from '../engine/space/port.js'
import { Capture } from './capture.js'
import { isTable } from './catalog.js'
import { Mirror } from './materialise.js'
import { pastSchema } from './rewrite.js'
import { type Sqlite } from './sqlite.js'
import { quoteName } from './sqlite/names.js'

/** SQLite attaches at most 10; one holds the relations. */
const MAX_PAST = 8

export class Past {
  readonly #space: SpaceReader
  readonly #db: Sqlite
  readonly #scratch: () => Sqlite
  readonly #attached = new Set<number>()

  constructor(space: SpaceReader, db: Sqlite, scratch: () => Sqlite) {
    this.#space = space
    this.#db = db
    this.#scratch = scratch
  }

  has(sizes: readonly number[]): boolean {
    return sizes.every((size) => this.#attached.has(size))
  }

  /** No transaction is open, and no statement that reads what may be detached is prepared. Throws `bad-argument` for a size that is not. */
  async attach(sizes: readonly number[]): Promise<void> {
    for (const size of sizes) {
      if (!this.#attached.delete(size)) await this.#make(size, sizes)
      this.#attached.add(size)
    }
  }

  async #make(size: number, needed: readonly number[]): Promise<void> {
    const view = await this.#space.at(size)
    const scratch = this.#scratch()
    try {
      const mirror = new Mirror(scratch, new Capture(scratch), view)
      mirror.load([...mirror.schema.values()].filter(isTable).map(({ id }) => id))
      mirror.close()
      while (this.#attached.size >= MAX_PAST) {
        const oldest = [...this.#attached].find((each) => !needed.includes(each))
        if (oldest === undefined) break
        this.#db.exec(`DETACH ${quoteName(pastSchema(oldest))}`)
        this.#attached.delete(oldest)
      }
      this.#db.exec(`ATTACH ':memory:' AS ${quoteName(pastSchema(size))}`)
      this.#db.copyFrom(scratch, pastSchema(size))
    } finally {
      view.release()
      scratch.close()
    }
  }
}
