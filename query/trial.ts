/**
 * A write over rows of which some may be elsewhere: it runs, and what it looked at that is not here is told. Until somebody has looked there, whether it ran
 * as it would have with everything here is open: so is a savepoint, to undo it by.
 */
import { type ObjectId } from '../engine/space/types.js'
import { type Capture } from './capture.js'
import { type Ranges } from './plan.js'
import { type Probes } from './probes.js'
import { type Sqlite } from './sqlite.js'

export class Trials {
  readonly #db: Sqlite
  readonly #capture: Capture
  readonly #probes: Probes
  #missing: ReadonlyMap<ObjectId, Ranges> | undefined

  constructor(db: Sqlite, capture: Capture, probes: Probes) {
    this.#db = db
    this.#capture = capture
    this.#probes = probes
  }

  /** What the last one looked at in vain; undefined: it is as it should be. Then one of `keep` and `undo` is due. */
  get missing(): ReadonlyMap<ObjectId, Ranges> | undefined {
    return this.#missing
  }

  /** In a transaction. */
  run<T>(strict: boolean, step: () => T): T {
    this.#db.exec('SAVEPOINT sealdb_trial')
    this.#capture.beginTrial()
    this.#probes.begin(strict)
    try {
      return step()
    } finally {
      const missing = this.#probes.end()
      if (missing.size > 0 && this.#db.inTransaction) this.#missing = missing
      else this.keep()
    }
  }

  keep(): void {
    this.#missing = undefined
    this.#capture.endTrial()
    if (this.#db.inTransaction) this.#db.exec('RELEASE sealdb_trial')
  }

  undo(): void {
    this.#missing = undefined
    this.#capture.undoTrial()
    if (this.#db.inTransaction) this.#db.exec('ROLLBACK TO sealdb_trial; RELEASE sealdb_trial')
  }
}
