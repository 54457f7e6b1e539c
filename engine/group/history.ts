/**
 * What a history link and a blinding box contain, before sealing. Both have a length that the state machine can compute, so that nothing
 * else fits in.
 *
 * A link of epoch e carries D and L of e − 1; after a forget, the D of each epoch from the cut to e − 1, and no L.
 */
import { concatBytes } from '../codec/bytes.js'
import { SealError } from '../errors.js'
import { BOX_OVERHEAD } from './boxes.js'

const SECRET_LENGTH = 32
const WITH_LINK_SECRET = 1
const DATA_ONLY = 0

/** Secrets of one earlier epoch, as a link gives them. */
export interface HistoryItem {
  readonly epoch: number
  readonly data: Uint8Array
  readonly link: Uint8Array | undefined
}

/** Length of the sealed link of `epoch` that goes back to `from`. */
export function linkLength(from: number, epoch: number, afterForget: boolean): number {
  if (from === epoch) return 0
  return BOX_OVERHEAD + 1 + SECRET_LENGTH * (afterForget ? epoch - from : 2)
}

/** Length of the sealed box of so many blinding secrets. */
export function blindingLength(count: number): number {
  return BOX_OVERHEAD + SECRET_LENGTH * count
}

/** Ascending by epoch, without gaps. Either one item with its link secret, or data secrets only. */
export function encodeHistory(items: readonly HistoryItem[]): Uint8Array {
  const [first] = items
  if (items.length === 1 && first?.link !== undefined) return concatBytes(Uint8Array.of(WITH_LINK_SECRET), first.data, first.link)
  return concatBytes(Uint8Array.of(DATA_ONLY), ...items.map((item) => item.data))
}

/** The secrets of `[from, epoch)`; `bad-encoding` unless it is exactly that. */
export function decodeHistory(bytes: Uint8Array, from: number, epoch: number): HistoryItem[] {
  const secrets = splitSecrets(bytes.subarray(1))
  const [first, second] = secrets
  if (bytes[0] === WITH_LINK_SECRET && secrets.length === 2 && from === epoch - 1) {
    return [{ epoch: from, data: first as Uint8Array, link: second as Uint8Array }]
  }
  if (bytes[0] !== DATA_ONLY || secrets.length !== epoch - from) throw badHistory(bytes.length)
  return secrets.map((data, i) => ({ epoch: from + i, data, link: undefined }))
}

/** Copies of the 32-byte secrets that `bytes` consists of. */
export function splitSecrets(bytes: Uint8Array): Uint8Array[] {
  if (bytes.length % SECRET_LENGTH !== 0) throw badHistory(bytes.length)
  return Array.from({ length: bytes.length / SECRET_LENGTH }, (_, i) => bytes.slice(SECRET_LENGTH * i, SECRET_LENGTH * (i + 1)))
}

function badHistory(length: number): SealError {
  return new SealError('bad-encoding', 'Expected the secrets that the epoch record announces.', { length })
}
