/**
 * The key space of the state (PROTOCOL.md §6): one kind byte, then parts. Ids are fixed-width big-endian, so they sort and delimit themselves;
 * tuples are closed (tuple.ts); tokens have one length. Within a kind every key has the same shape: no key begins another.
 *
 * A table's rows, an index, an index value and the whole catalog are each a byte prefix: `subtreeRoot(prefix)` says whether one changed.
 */
import { prefixSuccessor } from '../codec/tuple.js'
import { SealError } from '../errors.js'
import { RING_SIZE } from '../limits.js'

/** First byte of every state key. 1x belongs to the group, 2x to the catalog, 3x to tables, 4x to files. */
export const KEY_KIND = {
  protocol: 0x01,
  ring: 0x02,
  meta: 0x03,
  relay: 0x04,
  lostBranch: 0x05,
  member: 0x10,
  device: 0x11,
  grave: 0x12,
  invitation: 0x13,
  epoch: 0x14,
  live: 0x15,
  pointer: 0x16,
  pair: 0x17,
  repair: 0x18,
  object: 0x20,
  name: 0x21,
  row: 0x30,
  index: 0x31,
  file: 0x40,
} as const

/** Bytes of a blinded row key, of a blind index token and of a name token. */
export const TOKEN_LENGTH = 16
/** Bytes of a file's id. */
export const FILE_ID_LENGTH = 32
/** Length of the prefix that all rows of one table share. */
export const ROW_PREFIX_LENGTH = 5
/** Length of the prefix that all entries of one index share. */
export const INDEX_PREFIX_LENGTH = 7
/** Ids of members, devices, invitations, epochs and objects fit in 32 bits, those of indexes in 16. */
export const MAX_ID = 2 ** 32 - 1
export const MAX_INDEX_ID = 2 ** 16 - 1

/** → the protocol version, one varint. */
export const protocolKey = (): Uint8Array => Uint8Array.of(KEY_KIND.protocol)
/** → size ‖ H(logRoot ‖ stateRoot) of one of the last 1,024 heads. */
export const ringKey = (size: number): Uint8Array => {
  const slot = size % RING_SIZE
  return Uint8Array.of(KEY_KIND.ring, slot >> 8, slot & 255)
}
/** → `Meta`: the counters. */
export const metaKey = (): Uint8Array => Uint8Array.of(KEY_KIND.meta)
/** → the relay that the space is attached to; absent if none. */
export const relayKey = (): Uint8Array => Uint8Array.of(KEY_KIND.relay)
/** → entries that a relay lost, as an admin has accepted; by the log root they led to. */
export const lostBranchKey = (logRoot: Uint8Array): Uint8Array => {
  const key = new Uint8Array(33)
  key[0] = KEY_KIND.lostBranch
  key.set(logRoot, 1)
  return key
}
export const memberKey = (id: number): Uint8Array => idKey(KEY_KIND.member, id)
export const deviceKey = (id: number): Uint8Array => idKey(KEY_KIND.device, id)
/** A public key (signing or agreement, of device or invitation) that was admitted once: never again. */
export const graveKey = (publicKey: Uint8Array): Uint8Array => {
  if (publicKey.length !== 32) throw new SealError('bad-argument', 'Expected a public key of 32 bytes.', { found: publicKey.length })
  const key = new Uint8Array(33)
  key[0] = KEY_KIND.grave
  key.set(publicKey, 1)
  return key
}
export const invitationKey = (id: number): Uint8Array => idKey(KEY_KIND.invitation, id)
export const epochKey = (epoch: number): Uint8Array => idKey(KEY_KIND.epoch, epoch)
/** Where a device stands in the log: hash, index and verdict of its last entry that counted. */
export const pointerKey = (device: number): Uint8Array => idKey(KEY_KIND.pointer, device)
/** Delivery pair of a device (`holder` 0) or an open invitation (`holder` 1). */
export const pairKey = (holder: 0 | 1, id: number): Uint8Array => {
  const key = new Uint8Array(6)
  key[0] = KEY_KIND.pair
  key[1] = holder
  putU32(key, 2, id)
  return key
}

/** Second words on what an epoch's record carries: `kind` 0 the history link, 1 the blinding box; one per member. */
export const repairKey = (epoch: number, kind: number, member: number): Uint8Array => {
  const key = new Uint8Array(10)
  key[0] = KEY_KIND.repair
  putU32(key, 1, epoch)
  key[5] = kind
  putU32(key, 6, member)
  return key
}

/**
 * → how many live sealed values `owner` has under `epoch` (absent: none). Epoch first, so "nothing before the cut" is one empty range.
 * An owner is a table's id, or 0 for what belongs to no table (names, catalog objects, blinding secrets).
 */
export const liveKey = (epoch: number, owner: number): Uint8Array => {
  const key = new Uint8Array(9)
  key[0] = KEY_KIND.live
  putU32(key, 1, epoch)
  putU32(key, 5, owner)
  return key
}

/** → a catalog object's record. All of them: prefix `20`, the tag of the catalog. */
export const objectKey = (id: number): Uint8Array => idKey(KEY_KIND.object, id)
/** → the object that bears the name of this token. */
export const nameKey = (token: Uint8Array): Uint8Array => {
  const key = new Uint8Array(1 + token.length)
  key[0] = KEY_KIND.name
  key.set(token, 1)
  return key
}

/** What all rows of a table begin with. */
export const rowPrefix = (table: number): Uint8Array => idKey(KEY_KIND.row, table)
/** `rowKey`: a closed tuple in tables with a plain key, else a token. */
export const rowStateKey = (table: number, rowKey: Uint8Array): Uint8Array => {
  const key = new Uint8Array(ROW_PREFIX_LENGTH + rowKey.length)
  key[0] = KEY_KIND.row
  putU32(key, 1, table)
  key.set(rowKey, ROW_PREFIX_LENGTH)
  return key
}
/** What all index entries of a table begin with. */
export const indexesPrefix = (table: number): Uint8Array => idKey(KEY_KIND.index, table)
/** What all entries of one index begin with; then follow a token, or a closed tuple of plaintext columns. */
export const indexPrefix = (table: number, index: number): Uint8Array => {
  const key = new Uint8Array(INDEX_PREFIX_LENGTH)
  key[0] = KEY_KIND.index
  putU32(key, 1, table)
  key[5] = (index >> 8) & 255
  key[6] = index & 255
  return key
}

/** → a file's record. `id`: 32 bytes, a hash of what the file is. */
export const fileKey = (id: Uint8Array): Uint8Array => {
  if (id.length !== FILE_ID_LENGTH) throw new SealError('bad-argument', `Expected the id of a file, ${FILE_ID_LENGTH} bytes.`, { found: id.length })
  const key = new Uint8Array(1 + FILE_ID_LENGTH)
  key[0] = KEY_KIND.file
  key.set(id, 1)
  return key
}
/** What all files begin with. */
export const filesPrefix = (): Uint8Array => Uint8Array.of(KEY_KIND.file)

/** First byte of a row key, unique token or name token under this generation of the blinding secret: anybody sees of which it is. */
export function generationByte(generation: number): number {
  return generation & 255
}

/** A prefix of state keys whose next byte is a generation's: all keys of that generation below `prefix`. */
export function generationPrefix(prefix: Uint8Array, generation: number): Uint8Array {
  const key = new Uint8Array(prefix.length + 1)
  key.set(prefix)
  key[prefix.length] = generationByte(generation)
  return key
}

/** The least byte string above everything that begins with `prefix`: the `hi` of its range. */
export function prefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  return prefixSuccessor(prefix) ?? undefined
}

/** The id that follows the kind byte of a member, device, invitation, epoch, pointer, object or row key. */
export function keyId(key: Uint8Array, at = 1): number {
  return (key[at] as number) * 0x1000000 + (((key[at + 1] as number) << 16) | ((key[at + 2] as number) << 8) | (key[at + 3] as number))
}

function idKey(kind: number, id: number): Uint8Array {
  const key = new Uint8Array(5)
  key[0] = kind
  putU32(key, 1, id)
  return key
}

function putU32(key: Uint8Array, at: number, id: number): void {
  if (!Number.isInteger(id) || id < 0 || id > MAX_ID) throw new SealError('bad-argument', 'Expected an id of 32 bits.', { found: id })
  key[at] = id >>> 24
  key[at + 1] = (id >>> 16) & 255
  key[at + 2] = (id >>> 8) & 255
  key[at + 3] = id & 255
}
