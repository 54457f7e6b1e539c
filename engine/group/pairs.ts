/**
 * The delivery pair of a device or an open invitation: the current epoch's secret S, encrypted to its agreement key P.
 * The state keeps each one, so that its holder can open the epoch at any time and grant it to somebody new.
 */
import { decodeCanonical, encodeCanonical } from '../codec/canonical.js'
import type { Pair } from '../crypto/verifiable.js'
import { MAX_ID } from '../state/keys.js'

export interface PairRecord extends Pair {
  readonly epoch: number
}

export function encodePair(pair: PairRecord): Uint8Array {
  return encodeCanonical(pair, (w, p) => w.varint(p.epoch).fixed(p.c0, 32).fixed(p.c, 32))
}

/** The byte arrays are views into `bytes`. */
export function decodePair(bytes: Uint8Array): PairRecord {
  return decodeCanonical(bytes, (r) => ({ epoch: r.varint(MAX_ID), c0: r.fixed(32), c: r.fixed(32) }))
}
