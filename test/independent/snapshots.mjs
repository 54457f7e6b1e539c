/** Snapshots for newcomers a second time, from engine/PROTOCOL.md §4, §5 and §9.5 alone. Refusing is throwing. */
import { Log } from './entries.mjs'
import { Fields, encodeVarint } from './fields.mjs'
import { checkReads } from './verifier.mjs'

const refuse = (why) => { throw new Error(why) }

/** Of the head that is trusted. */
export function openManifest(encoded, { size, logRoot, stateRoot }) {
  const f = new Fields(encoded)
  if (f.u8() !== 1) refuse('another version')
  const head = { size: f.varint(), logRoot: f.take(32), stateRoot: f.take(32) }
  const peaks = [...head.size.toString(2)].filter((bit) => bit === '1').map(() => f.take(32))
  const counts = f.list(() => f.varint(), 2 ** 20)
  f.end()
  if (head.size === 0 || counts.length === 0 || counts.includes(0)) refuse('an empty snapshot, or part of one')
  if (head.size !== size || !head.logRoot.equals(logRoot) || !head.stateRoot.equals(stateRoot)) refuse('another head')
  const log = new Log()
  Object.assign(log, { size: head.size, roots: peaks })
  if (!log.root().equals(logRoot)) refuse('peaks of another log')
  return { ...head, peaks, counts }
}

/** The rows of chunk i. */
export function openChunk({ stateRoot, counts }, i, proof) {
  if (proof.length > 2 ** 24 + 2 ** 20) refuse('too long')
  const before = counts.slice(0, i).reduce((sum, count) => sum + count, 0)
  const key = firstKey(proof)
  // How many rows there are costs no node: so it is asked beside the two reads.
  const asked = [Buffer.of(3, 3, 0, 0), Buffer.of(5), encodeVarint(before), Buffer.of(2, 1), encodeVarint(key.length), key, Buffer.of(0, 0, 1), encodeVarint(counts[i])]
  const [total, first, rows] = checkReads(stateRoot, Buffer.concat(asked), proof)
  if (total !== counts.reduce((sum, count) => sum + count, 0)) refuse('another number of rows than the counts add up to')
  return first?.key.equals(key) && rows.length === counts[i] ? rows : refuse('not these rows')
}

/** Of the leftmost open leaf: where `nth` leads, since the scan goes on to the right. */
function firstKey(proof) {
  const f = new Fields(proof)
  f.u8()
  for (;;) {
    const tag = f.varint()
    if (tag === 0) { f.varint(); f.take(32) }
    if (tag === 1 || tag === 2) return f.varint() === 0 ? f.string(255) : refuse('a first leaf that shares')
  }
}
