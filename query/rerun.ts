/**
 * Writes that are not in the log yet. When the log refuses one, or it no longer applies, it is executed again on the new state, in order; what was
 * promised to the caller follows it there.
 */
import { encodeHex } from '../engine/codec/bytes.js'
import { isSealError, type SealError } from '../engine/errors.js'
import { type SpaceWriter } from '../engine/space/port.js'
import { closedFirst } from '../engine/space/settle.js'
import { type Committed, type SettleState } from '../engine/space/types.js'
import { decodeReplay } from './replay.js'

/** A write on its way: as `Committed`, across executions. */
export interface Write {
  /** Of the newest entry made for it. */
  readonly state: SettleState
  /** In the verified log, or given up: then `rejected`. Throws `disconnected` if the database is closed before (to whoever waits; it is no unhandled rejection). */
  readonly settled: Promise<SettleState>
}

/** A write that was given up: it could not be executed again. */
export interface LostWrite {
  readonly error: SealError | Error
  readonly texts: readonly string[]
}

export interface Rerun {
  readonly texts: readonly string[]
  /** The entry that was written; undefined if nothing had to change any more, or once `landed` says that the refused one is in the log after all. */
  run(landed: () => boolean): Promise<Committed | undefined>
}

class PendingWrite implements Write {
  readonly settled: Promise<SettleState>
  #committed: Committed
  #resolve: (state: SettleState) => void = () => undefined
  #reject: (error: SealError) => void = () => undefined

  constructor(committed: Committed) {
    this.#committed = committed
    this.settled = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.settled.catch(() => undefined) // nobody need wait
  }

  get state(): SettleState {
    return this.#committed.state
  }

  follow(committed: Committed): void {
    this.#committed = committed
  }

  end(state: SettleState): void {
    this.#resolve(state)
  }

  giveUp(): void {
    this.#reject(closedFirst())
  }
}

export class Reruns {
  readonly #pending = new Map<string, { readonly write: PendingWrite; readonly rerun: Rerun }>()
  /** Refused and not executed again yet; the state of those that landed meanwhile. */
  readonly #refused = new Map<string, SettleState | undefined>()
  readonly #off: () => void
  readonly #lost: (lost: LostWrite) => void

  /** `queue` runs work when its turn comes; `replay` executes texts of an earlier process. */
  constructor(space: SpaceWriter, queue: (work: () => Promise<void>) => Promise<void>, replay: (statements: ReturnType<typeof decodeReplay>) => Rerun, lost: (lost: LostWrite) => void) {
    this.#lost = lost
    const offSettle = space.on('settle', ({ hash, state }) => {
      if (this.#refused.size === 0) return
      const name = encodeHex(hash)
      if (state.kind === 'relay' && this.#refused.has(name)) this.#refused.set(name, state)
    })
    const offRetry = space.on('retry', ({ hash, replay: bytes, verdict, isNew }) => {
      const name = encodeHex(hash)
      const known = this.#pending.get(name)
      this.#pending.delete(name)
      const rerun = known?.rerun ?? (bytes && replay(decodeReplay(bytes)))
      const refused: SettleState = { kind: 'rejected', index: -1, verdict }
      // The space keeps what was refused until it hears that it was seen to, so that a crash in between loses nothing.
      const done = (): Promise<void> => space.retried(hash)
      if (rerun === undefined) {
        // What is no SQL, an act on the group, is its author's to do again.
        if (!isNew) lost({ error: new Error('Something of an earlier session, a write or an act on the group, was refused, and how to do it again was not kept.'), texts: [] })
        void done().catch(() => undefined) // told again when the space is next opened
        return
      }
      this.#refused.set(name, undefined)
      void queue(() => this.#again(name, rerun, known?.write, refused).then(done)).catch(() => undefined) // #again has told
    })
    this.#off = () => {
      offSettle()
      offRetry()
    }
  }

  /** A write that was committed here: what the caller may wait for. */
  track(committed: Committed, rerun: Rerun): Write {
    const write = new PendingWrite(committed)
    this.#watch(committed, write, rerun)
    return write
  }

  close(): void {
    this.#off()
    for (const { write } of this.#pending.values()) write.giveUp()
    this.#pending.clear()
  }

  #watch(committed: Committed, write: PendingWrite, rerun: Rerun): void {
    if (committed.state.kind === 'relay' || committed.state.kind === 'seen') {
      write.end(committed.state)
      return
    }
    const name = encodeHex(committed.hash)
    this.#pending.set(name, { write, rerun })
    void committed.settled.then((state) => {
      // A refusal comes as `retry`, too; whoever is still here then has landed.
      if (state.kind !== 'rejected' && this.#pending.delete(name)) write.end(state)
    })
  }

  async #again(name: string, rerun: Rerun, write: PendingWrite | undefined, refused: SettleState): Promise<void> {
    try {
      const committed = await rerun.run(() => this.#refused.get(name) !== undefined)
      if (committed === undefined) write?.end(this.#refused.get(name) ?? { kind: 'local' })
      else {
        write?.follow(committed)
        this.#watch(committed, write ?? new PendingWrite(committed), rerun)
      }
    } catch (error) {
      write?.end(refused)
      this.#lost({ error: isSealError(error) || error instanceof Error ? error : new Error(String(error)), texts: rerun.texts })
    } finally {
      this.#refused.delete(name)
    }
  }
}
