/**
 * Entries (PROTOCOL.md §6): what a device signs and the log holds.
 *
 *   record = bytes ‖ signature(64)      hash = H(0x00 ‖ record), the leaf of the log (RFC 9162 §2.1.1)
 *
 * `base` is the head that the author had verified: every entry cosigns all history before it. The space's id is in the bytes, so a
 * signature is good in one space only; in the genesis, whose hash that id is, 32 zero bytes stand for it.
 */
import { Reader, Writer } from '../codec/canonical.js'
import { SIGNATURE_LENGTH } from '../crypto/ed25519-rule.js'
import { hashLabelled, labelPrefix, LABELS } from '../crypto/labels.js'
import { type Sha256, type Signatures, type Signer } from '../crypto/provider.js'
import { verifySignature } from '../crypto/sign.js'
import { SealError, isSealError } from '../errors.js'
import { MAX_ENTRY_LENGTH, MAX_KEY_LENGTH, MAX_READS } from '../limits.js'
import { leafHash } from '../log/merkle.js'
import { MAX_ID } from '../state/keys.js'
import { codecAt, EncodedOps, everyKind, type Ops, readOps, writeOps } from './ops/encoded.js'
import type { AnyCodec } from './ops/index.js'
import { type Head } from './types.js'

export const PROTOCOL_VERSION = 1

/** A prefix of state keys and the root of its subtree that the author saw: the empty root for "nothing there". */
export interface ReadClaim {
  readonly prefix: Uint8Array
  readonly root: Uint8Array
}

export interface Entry {
  readonly spaceId: Uint8Array
  readonly base: Head
  /** 0 in the genesis and in a join. */
  readonly device: number
  /** Hash of the device's entry before this one that counted; of its join or the genesis, for the first. Zeros with device 0. */
  readonly devicePrev: Uint8Array
  readonly epoch: number
  /** Milliseconds since 1970, as the author's clock says. Decides nothing. */
  readonly time: number
  /** The author adopted `base` on others' word instead of computing it: it vouches for nothing. */
  readonly adopted: boolean
  readonly reads: readonly ReadClaim[]
  readonly ops: Ops
}

/** What a record is, before anything is known of the space. */
export type Decoded =
  | { readonly kind: 'entry'; readonly entry: Entry; readonly signed: Uint8Array; readonly signature: Uint8Array }
  | { readonly kind: 'malformed' | 'too-long' | 'version' }

const ADOPTED = 1
const HASH = 32

export function encodeEntry(entry: Entry): Uint8Array {
  const w = writerFor(entry)
  writeEntry(w, entry)
  return w.finish()
}

/** Entries of a row or two are the most, and a fresh buffer costs more than what is written into it. */
let small = new Writer(4_096)
const SMALL_OPS = 8
const SMALL_LENGTH = 1 << 16

function writerFor({ ops }: Entry): Writer {
  // Ten thousand rows at once: growing there step by step would copy them several times.
  if (ops instanceof EncodedOps) return new Writer(1_024 + ops.bytes.length)
  if (ops.length > SMALL_OPS) return new Writer(1_024 + 384 * ops.length)
  if (small.length > SMALL_LENGTH) small = new Writer(4_096)
  return small.reset()
}

function writeEntry(w: Writer, entry: Entry): void {
  w.u8(PROTOCOL_VERSION).fixed(entry.spaceId, HASH)
  w.varint(entry.base.size).fixed(entry.base.logRoot, HASH).fixed(entry.base.stateRoot, HASH)
  w.varint(entry.device).fixed(entry.devicePrev, HASH)
  w.varint(entry.epoch).varint(entry.time).u8(entry.adopted ? ADOPTED : 0)
  w.list(entry.reads, MAX_READS, (x, read) => x.bytes(read.prefix, MAX_KEY_LENGTH).fixed(read.root, HASH))
  writeOps(w, entry.ops)
}

/** Never throws for any bytes. The entry's arrays are views into `record`. */
export function decodeRecord(record: Uint8Array): Decoded {
  if (record.length > MAX_ENTRY_LENGTH) return { kind: 'too-long' }
  if (record.length <= SIGNATURE_LENGTH) return { kind: 'malformed' }
  // What follows another version's first byte is not ours to read.
  if (record[0] !== PROTOCOL_VERSION) return { kind: 'version' }
  const length = record.length - SIGNATURE_LENGTH
  try {
    const r = new Reader(record, 1, length)
    const entry = readEntry(r, record)
    r.end()
    return { kind: 'entry', entry, signed: record.subarray(0, length), signature: record.subarray(length) }
  } catch (error) {
    if (isSealError(error) && error.family === 'hostile') return { kind: 'malformed' }
    throw error
  }
}

/** Who a record says it is by and what it says comes before; undefined if it does not get that far. Whether any of it is so, `apply` says. */
export function peekRecord(record: Uint8Array): { readonly device: number; readonly devicePrev: Uint8Array } | undefined {
  if (record.length <= SIGNATURE_LENGTH || record[0] !== PROTOCOL_VERSION) return undefined
  try {
    return readHeader(new Reader(record, 1, record.length - SIGNATURE_LENGTH))
  } catch (error) {
    if (isSealError(error) && error.family === 'hostile') return undefined
    throw error
  }
}

/**
 * The header of a record whose signature is `publicKey`'s, without its ops: a statement about a base. Undefined for anything else. `founding`: it is signed as a genesis.
 */
export function openHeader(crypto: Pick<Signatures, 'verifyEd25519'>, record: Uint8Array, publicKey: Uint8Array, founding: boolean): Pick<Entry, 'spaceId' | 'base' | 'device' | 'adopted'> | undefined {
  if (record.length <= SIGNATURE_LENGTH || record.length > MAX_ENTRY_LENGTH || record[0] !== PROTOCOL_VERSION) return undefined
  const length = record.length - SIGNATURE_LENGTH
  const label = founding ? LABELS.genesis : LABELS.entry
  if (!verifySignature(crypto, label, record.subarray(0, length), record.subarray(length), publicKey)) return undefined
  try {
    const r = new Reader(record, 1, length)
    const { spaceId, base, device } = readHeader(r)
    r.varint(MAX_ID)
    r.varint()
    const flags = r.u8()
    return flags > ADOPTED ? undefined : { spaceId, base, device, adopted: flags === ADOPTED }
  } catch (error) {
    if (isSealError(error) && error.family === 'hostile') return undefined
    throw error
  }
}

function readHeader(r: Reader): Pick<Entry, 'spaceId' | 'base' | 'device' | 'devicePrev'> {
  const spaceId = r.fixed(HASH)
  const base = { size: r.varint(), logRoot: r.fixed(HASH), stateRoot: r.fixed(HASH) }
  return { spaceId, base, device: r.varint(MAX_ID), devicePrev: r.fixed(HASH) }
}

function readEntry(r: Reader, record: Uint8Array): Entry {
  const { spaceId, base, device, devicePrev } = readHeader(r)
  const epoch = r.varint(MAX_ID)
  const time = r.varint()
  const flags = r.u8()
  if (flags > ADOPTED) throw r.bad('Expected known flags', { flags })
  const reads = r.list(MAX_READS, (x) => ({ prefix: x.bytes(MAX_KEY_LENGTH), root: x.fixed(HASH) }), HASH + 1)
  const ops = readOps(r, record)
  checkAuthorship(r, device, ops)
  return { spaceId, base, device, devicePrev, epoch, time, adopted: flags === ADOPTED, reads, ops }
}

/** An entry without an author is one op that carries its signer's key; no other entry has such an op. */
function checkAuthorship(r: Reader, device: number, ops: Ops): void {
  if (device === 0 ? ops.length !== 1 : ops.length === 0) throw r.bad('Expected an op')
  if (!everyKind(ops, signsItselfIf, device === 0)) throw r.bad('Expected an author unless an op signs for itself')
}

function signsItselfIf({ selfSigned }: AnyCodec, isAlone: boolean): boolean {
  return (selfSigned !== undefined) === isAlone
}

/** The record of an entry. Throws `too-large` if no log takes it. */
export function signEntry(entry: Entry, signer: Signer): Uint8Array {
  // What is signed, `label ‖ 0x00 ‖ bytes` as in sign.ts, is written as it is, and the record lies in it.
  const label = labelPrefix(entryLabel(entry))
  const w = writerFor(entry).raw(label)
  writeEntry(w, entry)
  const length = w.length - label.length + SIGNATURE_LENGTH
  if (length > MAX_ENTRY_LENGTH) throw new SealError('too-large', `Expected an entry of at most ${MAX_ENTRY_LENGTH} bytes, got ${length}.`, { found: length, max: MAX_ENTRY_LENGTH })
  const signature = signer.sign(w.view())
  const record = w.raw(signature).view().subarray(label.length)
  return w === small ? record.slice() : record
}

export function verifyEntry(crypto: Pick<Signatures, 'verifyEd25519'>, decoded: Extract<Decoded, { kind: 'entry' }>, publicKey: Uint8Array): boolean {
  return verifySignature(crypto, entryLabel(decoded.entry), decoded.signed, decoded.signature, publicKey)
}

/** What the log holds of a record, and what `devicePrev` names. */
export function entryHash(crypto: Sha256, record: Uint8Array): Uint8Array {
  return leafHash(crypto, record)
}

/** The id of the space that a genesis record starts. Whether it is one, `apply` says. */
export function spaceIdOf(crypto: Sha256, genesis: Uint8Array): Uint8Array {
  return hashLabelled(crypto, LABELS.spaceId, genesis.subarray(0, Math.max(0, genesis.length - SIGNATURE_LENGTH)))
}

/** The genesis, and nothing else, is signed under a label of its own. */
function entryLabel(entry: Entry): typeof LABELS.genesis | typeof LABELS.entry {
  return codecAt(entry.ops, 0)?.name === 'genesis' ? LABELS.genesis : LABELS.entry
}

/** What an entry says that it does, unverified: only to know whether it is worth looking. Nothing, if it is none: following it says what it is. */
export function claimedOps(record: Uint8Array): Ops {
  try {
    const decoded = decodeRecord(record)
    return decoded.kind === 'entry' ? decoded.entry.ops : []
  } catch (error) {
    if (!isSealError(error)) throw error
    return []
  }
}
