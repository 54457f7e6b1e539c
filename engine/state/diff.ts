/** What changed from one tree to another, in order of keys, at the price of the changes: subtrees they share are skipped. */
import { bitOf, SAME } from './bits.js'
import { INNER, NONE, type Ref } from './arena.js'
import { compareBytes } from '../codec/bytes.js'
import type { Range } from './read.js'
import type { Reader } from './reader.js'

/** A row that one tree has and the other has not, or has with another value. */
export interface Change {
  readonly key: Uint8Array
  readonly before?: Uint8Array
  readonly after?: Uint8Array
}

/** Two subtrees for the same place, yet to be compared. NONE is the empty one. */
interface Pair {
  readonly before: Ref
  readonly after: Ref
}

export function* changesOf(reader: Reader, before: Ref, after: Ref, { lo, hi }: Range = {}): Generator<Change, void, undefined> {
  const { nodes } = reader
  const pending: Pair[] = [{ before, after }]
  for (let pair = pending.pop(); pair !== undefined; pair = pending.pop()) {
    if (nodes.same(pair.before, pair.after)) continue
    if (lo !== undefined || hi !== undefined) {
      if (isOutside(reader, pair, lo, hi)) continue
    }
    const children = divide(reader, pair)
    if (children !== undefined) {
      pending.push(children[1], children[0])
      continue
    }
    const key = nodes.key(pair.before === NONE ? pair.after : pair.before)
    if (hi !== undefined && compareBytes(key, hi) >= 0) return
    if (lo !== undefined && compareBytes(key, lo) < 0) continue
    const old = pair.before === NONE ? undefined : reader.value(pair.before)
    const now = pair.after === NONE ? undefined : reader.value(pair.after)
    if (old !== undefined && now !== undefined && compareBytes(old, now) === 0) continue
    yield { key, ...(old === undefined ? {} : { before: old }), ...(now === undefined ? {} : { after: now }) }
  }
}

/** The two halves of a pair, in order; nothing if it is about one key. */
function divide(reader: Reader, { before, after }: Pair): readonly [Pair, Pair] | undefined {
  const { nodes } = reader
  if (before === NONE || after === NONE) {
    const only = before === NONE ? after : before
    if (reader.open(only) !== INNER) return undefined
    const left = nodes.left(only)
    const right = nodes.right(only)
    return before === NONE ? [{ before: NONE, after: left }, { before: NONE, after: right }] : [{ before: left, after: NONE }, { before: right, after: NONE }]
  }
  const beforeBit = reader.open(before) === INNER ? nodes.bit(before) : SAME
  const afterBit = reader.open(after) === INNER ? nodes.bit(after) : SAME
  const beforeLeaf = firstLeaf(reader, before)
  const afterKey = nodes.key(firstLeaf(reader, after))
  const split = nodes.difference(afterKey, beforeLeaf)
  if (split < Math.min(beforeBit, afterBit)) {
    const old = { before, after: NONE }
    const now = { before: NONE, after }
    return bitOf(afterKey, split) === 1 ? [old, now] : [now, old]
  }
  if (beforeBit === SAME && afterBit === SAME) return undefined
  if (beforeBit === afterBit) {
    return [
      { before: nodes.left(before), after: nodes.left(after) },
      { before: nodes.right(before), after: nodes.right(after) },
    ]
  }
  if (beforeBit < afterBit) {
    const left = nodes.left(before)
    const right = nodes.right(before)
    return bitOf(afterKey, beforeBit) === 1 ? [{ before: left, after: NONE }, { before: right, after }] : [{ before: left, after }, { before: right, after: NONE }]
  }
  const left = nodes.left(after)
  const right = nodes.right(after)
  return nodes.leafBit(beforeLeaf, afterBit) === 1 ? [{ before: NONE, after: left }, { before, after: right }] : [{ before, after: left }, { before: NONE, after: right }]
}

/** True if nothing in the pair can lie in `[lo, hi)`. */
function isOutside(reader: Reader, { before, after }: Pair, lo: Uint8Array | undefined, hi: Uint8Array | undefined): boolean {
  return [before, after].every((ref) => {
    if (ref === NONE) return true
    if (hi !== undefined && reader.nodes.compare(hi, firstLeaf(reader, ref)) <= 0) return true
    return lo !== undefined && reader.nodes.compare(lo, lastLeaf(reader, ref)) > 0
  })
}

function firstLeaf(reader: Reader, root: Ref): Ref {
  let ref = root
  while (reader.open(ref) === INNER) ref = reader.nodes.left(ref)
  return ref
}

function lastLeaf(reader: Reader, root: Ref): Ref {
  let ref = root
  while (reader.open(ref) === INNER) ref = reader.nodes.right(ref)
  return ref
}
