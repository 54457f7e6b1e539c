/** What a record says before its ops, if a key has signed it: a second time, from engine/PROTOCOL.md §6.1 alone. Refusing is throwing. */
import { bool, Fields } from './fields.mjs'
import { isSigned } from './group.mjs'

const refuse = (why) => { throw new Error(why) }

/** `label`: entry or genesis. */
export function openHeader(record, publicKey, label) {
  const signed = record.subarray(0, -64)
  if (record.length <= 64 || !isSigned(publicKey, label, signed, record.subarray(-64))) refuse('not signed by that key')
  const f = new Fields(signed)
  if (f.u8() !== 1) refuse('another version')
  const [space, size, logRoot, stateRoot, device] = [f.take(32), f.varint(), f.take(32), f.take(32), f.id()]
  f.take(32)
  f.id()
  f.varint()
  return { space, size, logRoot, stateRoot, device, adopted: bool.read(f) }
}
