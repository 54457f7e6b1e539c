/**
 * What an epoch's record carries sealed under its link secret L: the history link and the blinding secrets. A box is a sealed value
 * (crypto/aead.ts, so it commits to its key) whose AAD names type, version, space, epoch and creator; its recipients are all who hold L.
 */
import { encodeSealContext, openValue, SEALED_OVERHEAD, sealValue } from '../crypto/aead.js'
import { LABELS } from '../crypto/labels.js'
import type { CryptoProvider } from '../crypto/provider.js'
import { epochKey } from '../state/keys.js'
import { epochSpaceId } from './contexts.js'

export const BOX_OVERHEAD = SEALED_OVERHEAD

export type BoxKind = 'link' | 'blinding'

export interface BoxPlace {
  readonly kind: BoxKind
  readonly spaceId: Uint8Array
  readonly epoch: number
  /** Device that made the box. */
  readonly creator: number
}

/** `nonce`: 24 random bytes. */
export function sealBox(crypto: CryptoProvider, linkSecret: Uint8Array, place: BoxPlace, nonce: Uint8Array, content: Uint8Array): Uint8Array {
  return sealValue(crypto, linkSecret, place.epoch, nonce, encodePlace(place), content)
}

/** Throws `open-failed` (or `unsupported-version`) for a box of another kind, space, epoch or creator, or under another secret. */
export function openBox(crypto: CryptoProvider, linkSecret: Uint8Array, place: BoxPlace, box: Uint8Array): Uint8Array {
  return openValue(crypto, linkSecret, place.epoch, encodePlace(place), box)
}

function encodePlace(place: BoxPlace): Uint8Array {
  return encodeSealContext({
    label: place.kind === 'link' ? LABELS.historyLink : LABELS.sealedBlinding,
    space: epochSpaceId(place.spaceId, place.epoch),
    table: 0,
    key: epochKey(place.epoch),
    epoch: place.epoch,
    device: place.creator,
    columns: [],
  })
}
