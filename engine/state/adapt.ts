/** The state machine's view of a state, whatever is below: a version of a tree, one that records, or the nodes of a proof. */
import { type StateEntry, type StateView } from './context.js'
import { type Row, type ScanOptions, type Range } from './read.js'
import { type EditBatch } from './edits.js'

/** As much of `State` (view.ts) as is needed; a proven or recording state need not be releasable. */
export interface Underlying {
  get(key: Uint8Array): Uint8Array | undefined
  scan(options?: ScanOptions): IterableIterator<Row>
  count(range?: Range): number
  root(): Uint8Array
  subtreeRoot(prefix: Uint8Array): Uint8Array
  apply(edits: EditBatch): Underlying
  without(prefix: Uint8Array): Underlying
  release?(): void
}

/** @example apply(env, { tree: viewOf(tree.at(version)), log }, record, { signature: 'check' }) */
export function viewOf<T extends Underlying>(state: T): AdaptedState<T> {
  return new AdaptedState(state)
}

export class AdaptedState<T extends Underlying> implements StateView {
  readonly state: T
  private knownRoot: Uint8Array | undefined

  constructor(state: T) {
    this.state = state
  }

  get root(): Uint8Array {
    return (this.knownRoot ??= this.state.root())
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.state.get(key)
  }

  scan(lo: Uint8Array, hi?: Uint8Array): Iterable<StateEntry> {
    return this.state.scan({ lo, hi })
  }

  count(lo: Uint8Array, hi?: Uint8Array): number {
    return this.state.count({ lo, hi })
  }

  subtreeRoot(prefix: Uint8Array): Uint8Array {
    return this.state.subtreeRoot(prefix)
  }

  apply(edits: EditBatch): AdaptedState<T> {
    // The underlying kind of state gives states of its own kind.
    return new AdaptedState(this.state.apply(edits) as T)
  }

  without(prefix: Uint8Array): AdaptedState<T> {
    return new AdaptedState(this.state.without(prefix) as T)
  }

  release(): void {
    this.state.release?.()
  }
}
