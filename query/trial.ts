/**
 * A write over rows of which some may be elsewhere: it runs, and what it looked at that is not here is told. Until somebody has looked there, whether it ran
 * as it would have with everything here is open: so is a savepoint, to undo it by.
 */
import { isSealError } from '../engine/errors.js'
import { type ObjectId } from '../engine/space/types.js'
import { type Capture } from './capture.js'
import { type Ranges } from './plan.js'
import { type Probes } from './probes.js'
import { type Sqlite } from './sqlite.js'

type Missing = ReadonlyMap<ObjectId, Ranges>

export class Trials {
  readonly #db: Sqlite
  readonly #capture: Capture
  readonly #probes: Probes
  #missing: Missing | undefined

  constructor(db: Sqlite, capture: Capture, probes: Probes) {
    this.#db = db
    this.#capture = capture
    this.#probes = probes
  }

  /** What the last one looked at in vain; undefined: it is as it should be. Then one of `keep` and `undo` is due. */
  get missing(): Missing | undefined {
    return this.#missing
  }

  /**
   * `run`, which runs one statement, again and again until it lacks nothing. `isNothing`: these ranges hold no row, so that it ran as it should have; `fetch`:
   * bring all that it has lacked so far.
   */
  async perform<T>(run: () => T, isNothing: (missing: Missing) => Promise<boolean>, fetch: (lacking: Missing) => Promise<void>): Promise<T> {
    let lacking: Missing = new Map()
    try {
      for (;;) {
        let outcome: { readonly value: T } | { readonly error: unknown }
        try {
          outcome = { value: run() }
        } catch (error) {
          outcome = { error }
        }
        const missing = this.#missing
        const stopped = 'error' in outcome && isSealError(outcome.error, 'out-of-scope')
        if (missing === undefined || (!stopped && (await isNothing(missing)))) {
          if (missing !== undefined) this.keep()
          if ('error' in outcome) throw outcome.error
          return outcome.value
        }
        this.undo()
        lacking = merged(lacking, missing)
        await fetch(lacking)
      }
    } finally {
      if (this.#missing !== undefined) this.undo()
    }
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

function merged(a: Missing, b: Missing): Missing {
  const all = new Map(a)
  for (const [id, ranges] of b) {
    const before = all.get(id) ?? []
    all.set(id, before === 'all' || ranges === 'all' ? 'all' : [...before, ...ranges])
  }
  return all
}
