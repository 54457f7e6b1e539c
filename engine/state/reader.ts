/**
 * The one door to the content of nodes: opening one checks that it is there to be opened, and notes that it was.
 *
 * Every read is written once, against this. Over a whole tree it is a query; with a trace, the nodes it noted make a proof; over the few nodes
 * of a proof, closed ones for the rest, it is a verification, and what it needs and lacks is `out-of-scope`, never "no".
 */
import { SealError } from '../errors.js'
import { BARE, CLOSED, type Arena, type Kind, type Ref } from './arena.js'

/** What a run of reads and edits opened: what a proof of it contains. */
export interface Trace {
  readonly nodes: Set<Ref>
  readonly values: Set<Ref>
}

export class Reader {
  readonly nodes: Arena
  readonly trace: Trace | undefined

  constructor(nodes: Arena, trace?: Trace) {
    this.nodes = nodes
    this.trace = trace
  }

  open(ref: Ref): Kind {
    const kind = this.nodes.kind(ref)
    if (kind === CLOSED) throw new SealError('out-of-scope', 'This read needs a part of the state that its proof does not contain.')
    if (this.trace !== undefined) this.trace.nodes.add(ref)
    return kind
  }

  /** The value of an open leaf. */
  value(leaf: Ref): Uint8Array {
    if (this.nodes.kind(leaf) === BARE) throw new SealError('out-of-scope', 'This read needs a value of which its proof contains only the hash.')
    if (this.trace !== undefined) this.trace.values.add(leaf)
    return this.nodes.value(leaf)
  }
}
