/** Entries of this device that are not in the verified log yet, and how far each has come. */
import { equalBytes } from '../codec/bytes.js'
import type { Frontier } from '../log/frontier.js'
import type { Applied } from './apply.js'
import type { HeldState } from './follower.js'
import type { Committed, SettleState } from './types.js'

/** What came of an entry of ours where it was tried out: on that log. The log decides the state, so on the same one it comes to the same. */
export interface Outcome {
  readonly on: Frontier
  /** With a claim on its state. */
  readonly applied: Applied
}

export class Pending implements Committed {
  readonly hash: Uint8Array
  readonly record: Uint8Array
  readonly replay: Uint8Array | undefined
  /** Where it lies in the store's outbox. */
  readonly sequence: number
  readonly settled: Promise<SettleState>
  /** Written since the space was opened. */
  readonly isNew: boolean
  #state: SettleState
  #outcome: Outcome | undefined
  #resolve: (state: SettleState) => void = () => undefined
  /** How many other members' entries build on index `index`; asked when `state` is read. */
  readonly #seenBy: (index: number) => number

  constructor(parts: { hash: Uint8Array; record: Uint8Array; replay: Uint8Array | undefined; sequence: number; isNew: boolean; seenBy: (index: number) => number }) {
    this.hash = parts.hash
    this.record = parts.record
    this.replay = parts.replay
    this.sequence = parts.sequence
    this.isNew = parts.isNew
    this.#seenBy = parts.seenBy
    this.#state = { kind: 'local' }
    this.settled = new Promise((resolve) => { this.#resolve = resolve })
  }

  get state(): SettleState {
    const state = this.#state
    if (state.kind !== 'relay') return state
    const members = this.#seenBy(state.index)
    return members === 0 ? state : { kind: 'seen', index: state.index, members }
  }

  sent(): void {
    if (this.#state.kind === 'local') this.#state = { kind: 'unknown' }
  }

  /** Signed by this process. */
  get isOwn(): boolean {
    return this.#outcome !== undefined
  }

  /** Keep what came of it, until it is settled. Only of entries that this process has signed itself: their signature needs no check. */
  keep(outcome: Outcome | undefined): void {
    if (this.#outcome !== undefined) (this.#outcome.applied.state as HeldState).tree.release()
    this.#outcome = outcome
  }

  /** The outcome on this log, if it is known; the claim stays here. */
  outcomeOn(log: Frontier): Applied | undefined {
    const { on, applied } = this.#outcome ?? {}
    return on !== undefined && on.size === log.size && on.peaks.every((peak, i) => equalBytes(peak, log.peaks[i] as Uint8Array)) ? applied : undefined
  }

  settle(state: SettleState): void {
    this.keep(undefined)
    this.#state = state
    this.#resolve(state)
  }
}
