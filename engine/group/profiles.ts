/** Sealing and opening the names of members and devices: the holders' side of `names.ts`. */
import { decodeUtf8, encodeUtf8 } from '../codec/bytes.js'
import { Writer } from '../codec/canonical.js'
import { encodeSealContext, NONCE_LENGTH, openValue, SEALED_OVERHEAD, sealedEpoch, sealValue } from '../crypto/aead.js'
import { LABELS } from '../crypto/labels.js'
import type { CryptoProvider } from '../crypto/provider.js'
import type { RandomSource } from '../crypto/verifiable.js'
import { SealError } from '../errors.js'
import { MAX_NAME_LENGTH } from '../limits.js'
import { KEY_KIND } from '../state/keys.js'
import type { DeviceRecord } from '../state/roster.js'
import type { Keyring } from './keyring.js'
import { decodeSealedName } from './names.js'
import { type GroupReader, readDevice, readMember } from './roster.js'
import type { ProfileSubject } from './ops/profile.js'

/** Names belong to no table: their key is derived for table 0. */
export const NAMES_TABLE = 0
/** Bytes of UTF-8 that a name may have. */
const MAX_NAME_TEXT = MAX_NAME_LENGTH - SEALED_OVERHEAD

export interface NamePlace {
  readonly spaceId: Uint8Array
  readonly epoch: number
  readonly subject: ProfileSubject
  /** Id of whom it names; 0 for the sealing device or its member, whose id a joining device does not know yet. */
  readonly id: number
  /** Signing key of the device that seals. */
  readonly signing: Uint8Array
}

/** `key`: the names' key of the epoch, `keyring.tableKey(epoch, NAMES_TABLE)`. Throws `bad-value` for a name that is empty or too long. */
export function sealName(crypto: CryptoProvider, key: Uint8Array, place: NamePlace, name: string, random: RandomSource): Uint8Array {
  const text = encodeUtf8(name)
  if (text.length === 0 || text.length > MAX_NAME_TEXT) {
    throw new SealError('bad-value', `Expected a name of 1 to ${MAX_NAME_TEXT} bytes.`, { length: text.length })
  }
  return sealValue(crypto, key, place.epoch, random(NONCE_LENGTH), encodePlace(place), text)
}

/** The name of a member or device, as this keyring opens it: undefined if there is none or it does not open. */
export function openName(crypto: CryptoProvider, spaceId: Uint8Array, state: GroupReader, keyring: Keyring, subject: ProfileSubject, id: number): string | undefined {
  const named = namedBy(state, subject, id)
  if (named === undefined) return undefined
  const { sealed, by, signing, own } = named
  try {
    const epoch = sealedEpoch(sealed)
    if (!keyring.holds(epoch)) return undefined
    const place: NamePlace = { spaceId, epoch, subject, id: own ? 0 : id, signing }
    return decodeUtf8(openValue(crypto, keyring.tableKey(epoch, NAMES_TABLE), epoch, encodePlace(place), sealed))
  } catch (error) {
    // A name that its author sealed wrongly is no name. Who that was is `by`, and nothing depends on it.
    if (error instanceof SealError && (error.family === 'hostile' || error.code === 'unsupported-version')) return undefined
    throw new SealError('invariant', 'Opening a name failed for a reason of our own.', { device: by }, { cause: error })
  }
}

/** True if a device that seals a name names itself or its member. */
export function isOwnName(sealer: { readonly id: number; readonly member: number }, subject: ProfileSubject, id: number): boolean {
  return id === (subject === 'member' ? sealer.member : sealer.id)
}

function namedBy(state: GroupReader, subject: ProfileSubject, id: number): { sealed: Uint8Array; by: number; signing: Uint8Array; own: boolean } | undefined {
  const bytes = subject === 'member' ? readMember(state, id)?.profile : readDevice(state, id)?.name
  const name = bytes === undefined ? undefined : decodeSealedName(bytes)
  const sealer: DeviceRecord | undefined = name === undefined ? undefined : readDevice(state, name.by)
  if (name === undefined || sealer === undefined) return undefined
  return { sealed: name.sealed, by: name.by, signing: sealer.signing, own: isOwnName({ id: name.by, member: sealer.member }, subject, id) }
}

function encodePlace(place: NamePlace): Uint8Array {
  const kind = place.subject === 'member' ? KEY_KIND.member : KEY_KIND.device
  const key = new Writer().u8(kind).fixed(place.signing, 32).varint(place.id).finish()
  return encodeSealContext({ label: LABELS.sealedName, space: place.spaceId, table: NAMES_TABLE, key, epoch: place.epoch, device: 0, columns: [] })
}
