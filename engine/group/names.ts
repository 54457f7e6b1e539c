/**
 * A sealed name as the state keeps it, of a member or a device. The state machine sees its length and its epoch, nothing else.
 * The device that sealed it is kept because its public key is part of what the seal binds: a newcomer's ids are not known when it joins.
 */
import { decodeCanonical, encodeCanonical } from '../codec/canonical.js'
import { MAX_NAME_LENGTH } from '../limits.js'

export interface SealedName {
  /** Device that sealed it. */
  readonly by: number
  /** A sealed value under the names' key of its epoch. */
  readonly sealed: Uint8Array
}

/** Empty for none. */
export function encodeSealedName(name: SealedName): Uint8Array {
  return encodeCanonical(name, (w, n) => w.varint(n.by).bytes(n.sealed, MAX_NAME_LENGTH))
}

/** Undefined for none. */
export function decodeSealedName(bytes: Uint8Array): SealedName | undefined {
  if (bytes.length === 0) return undefined
  return decodeCanonical(bytes, (r) => ({ by: r.varint(), sealed: r.bytes(MAX_NAME_LENGTH) }))
}
