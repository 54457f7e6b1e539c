/** One after the other, in the order of the calls; and whether anything runs or waits at all. */
import { SealError } from '../engine/errors.js'

export class Queue {
  readonly #busyTimeout: number
  #tail: Promise<unknown> = Promise.resolve()
  #length = 0
  /** What holds the connection for as long as its caller likes. */
  #holder: object | undefined

  /** Milliseconds that work waits while one and the same holder has the connection. Default: a minute. */
  constructor(busyTimeout = 60_000) {
    this.#busyTimeout = busyTimeout
  }

  get idle(): boolean {
    return this.#length === 0
  }

  /** Throws `sql-error` (SQLITE_BUSY) if a holder does not let go of the connection; `patient` work waits for as long as it takes. */
  async run<T>(work: () => Promise<T>, patience: 'patient' | 'busy' = 'busy'): Promise<T> {
    const before = this.#tail
    let done: () => void = () => undefined
    this.#tail = new Promise<void>((resolve) => { done = resolve })
    this.#length++
    let isTurn = false
    try {
      if (this.#length > 1) await (patience === 'patient' ? before : this.#waitFor(before))
      isTurn = true
      return await work()
    } finally {
      this.#length--
      if (isTurn) done()
      else void before.then(done) // who gave up lets nobody overtake
    }
  }

  /** Within `run`: work of a caller, who may take his time. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    this.#holder = {}
    try {
      return await work()
    } finally {
      this.#holder = undefined
    }
  }

  #waitFor(before: Promise<unknown>): Promise<void> {
    return new Promise((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined
      const arm = (): void => {
        const holder = this.#holder
        timer = setTimeout(() => {
          if (holder !== undefined && holder === this.#holder) reject(busy(this.#busyTimeout))
          else arm()
        }, this.#busyTimeout)
      }
      arm()
      void before.then(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }
}

function busy(milliseconds: number): SealError {
  return new SealError('sql-error', `database is locked: a transaction has been under way for ${milliseconds / 1000} seconds. If this was asked for within its work, ask its \`tx\`, not the database.`, { name: 'SQLITE_BUSY', result: 5 })
}
