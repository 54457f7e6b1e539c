/** Entries of this device that are not in the verified log yet, and how far each has come. */
import type { Committed, SettleState } from './types.js'

export class Pending implements Committed {
  readonly hash: Uint8Array
  readonly record: Uint8Array
  readonly replay: Uint8Array | undefined
  /** Where it lies in the store's outbox. */
  readonly sequence: number
  readonly settled: Promise<SettleState>
  #state: SettleState
  #resolve: (state: SettleState) => void = () => undefined
  /** How many other members' entries build on index `index`; asked when `state` is read. */
  readonly #seenBy: (index: number) => number

  constructor(parts: { hash: Uint8Array; record: Uint8Array; replay: Uint8Array | undefined; sequence: number; seenBy: (index: number) => number }) {
    this.hash = parts.hash
    this.record = parts.record
    this.replay = parts.replay
    this.sequence = parts.sequence
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

  settle(state: SettleState): void {
    this.#state = state
    this.#resolve(state)
  }
}
