/**
 * Presence: a message to whoever is online, never stored. Sealed under the epoch, signed by the device, numbered per session, and carrying the
 * sender's verified head, which makes a fork visible as soon as two members are online (attacks.md A7).
 */
import { concatBytes } from '../codec/bytes.js'
import { Reader, Writer } from '../codec/canonical.js'
import { encodeSealContext, openValue, sealedEpoch, sealValue } from '../crypto/aead.js'
import { deriveSecret } from '../crypto/kdf.js'
import { LABELS } from '../crypto/labels.js'
import type { Signer } from '../crypto/provider.js'
import { signBytes, verifySignature } from '../crypto/sign.js'
import { SealError } from '../errors.js'
import type { Keyring } from '../group/keyring.js'
import { readDevice, type GroupReader } from '../group/roster.js'
import { MAX_PRESENCE_LENGTH } from '../limits.js'
import type { ApplyEnv } from '../state/context.js'
import { MAX_ID } from '../state/keys.js'
import type { DeviceId, Head, MemberId } from './types.js'

export interface Presence {
  readonly member: MemberId
  readonly device: DeviceId
  /** Grows within a session of a device: an older one is a replay. */
  readonly counter: number
  readonly head: Head
  readonly payload: Uint8Array
}

export function sealPresence(
  env: ApplyEnv, keyring: Keyring, epoch: number, device: DeviceId, signer: Signer, nonce: Uint8Array,
  message: { readonly counter: number; readonly head: Head; readonly payload: Uint8Array },
): Uint8Array {
  const w = new Writer(256).varint(device).varint(message.counter)
  w.varint(message.head.size).fixed(message.head.logRoot, 32).fixed(message.head.stateRoot, 32).bytes(message.payload, MAX_PRESENCE_LENGTH)
  const bytes = w.finish()
  const signed = concatBytes(bytes, signBytes(signer, LABELS.presence, concatBytes(env.spaceId, bytes)))
  return sealValue(env.crypto, presenceKey(env, keyring, epoch), epoch, nonce, context(env, epoch), signed)
}

/** Throws `open-failed`, `no-secret`, `bad-signature`, `bad-encoding`. */
export function openPresence(env: ApplyEnv, keyring: Keyring, state: GroupReader, message: Uint8Array): Presence {
  if (message.length > MAX_PRESENCE_LENGTH) throw new SealError('too-large', 'Expected a shorter presence message.', { length: message.length })
  const epoch = sealedEpoch(message)
  const opened = openValue(env.crypto, presenceKey(env, keyring, epoch), epoch, context(env, epoch), message)
  if (opened.length < 64) throw new SealError('bad-encoding', 'Expected a signed presence message.')
  const bytes = opened.subarray(0, opened.length - 64)
  const r = new Reader(bytes)
  const device = r.varint(MAX_ID)
  const counter = r.varint()
  const head = { size: r.varint(), logRoot: r.fixed(32).slice(), stateRoot: r.fixed(32).slice() }
  const payload = r.bytes(MAX_PRESENCE_LENGTH).slice()
  r.end()
  const record = readDevice(state, device)
  const signature = opened.subarray(opened.length - 64)
  if (record === undefined || record.removedAt !== undefined || !verifySignature(env.crypto, LABELS.presence, concatBytes(env.spaceId, bytes), signature, record.signing)) {
    throw new SealError('bad-signature', 'Expected a presence message signed by a current device.', { device })
  }
  return { member: record.member, device, counter, head, payload }
}

function presenceKey(env: ApplyEnv, keyring: Keyring, epoch: number): Uint8Array {
  return deriveSecret(env.crypto, keyring.dataSecret(epoch), LABELS.presenceData)
}

function context(env: ApplyEnv, epoch: number): Uint8Array {
  return encodeSealContext({ label: LABELS.presence, space: env.spaceId, table: 0, key: new Uint8Array(0), epoch, device: 0, columns: [] })
}
