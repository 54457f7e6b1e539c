/**
 * What of a space lies in its store, and under which names. `secret/…` values are sealed by stores that were given a passphrase or key.
 * Every change is one atomic batch with the records it belongs to, so there is nothing to reconcile after a crash.
 *
 *     head            the verified head: size, log root, state root. Only moves forward.
 *     note            the relay's latest checkpoint note under that head, if any
 *     evidence/<n>    evidence against the relay: the space is read-only while there is any
 *     suspect/<id>    evidence against a device, one each
 *     distrusted      while the stored snapshot is due to be written again, and until then to be read whole at opening: it was found damaged
 *     kept            of a thin client, instead of entries and rows: frontier and kernel (thin/kept.ts)
 *     secret/device   seeds and ids of this device
 *     secret/keyring  secrets of epochs, blinding secrets
 *     secret/outbox/<n>  pending entries in order, each with query's replay bytes
 *     secret/refused/<n> entries that were refused, until they were executed again (outbox.ts)
 */
import { encodeCanonical, Reader, Writer } from '../codec/canonical.js'
import { SealError } from '../errors.js'
import { MAX_ENTRY_LENGTH, MAX_VALUE_LENGTH } from '../limits.js'
import { MAX_ID } from '../state/keys.js'
import type { DeviceId, Head } from './types.js'

export const NAMES = { head: 'head', note: 'note', device: 'secret/device', keyring: 'secret/keyring', outbox: 'secret/outbox/', refused: 'secret/refused/', evidence: 'evidence/', suspect: 'suspect/', kept: 'kept', distrusted: 'distrusted' } as const

/** This device, as its store knows it. */
export interface DeviceSecrets {
  readonly spaceId: Uint8Array
  readonly device: DeviceId
  /** 32 bytes: the Ed25519 seed. */
  readonly signingSeed: Uint8Array
}

export interface OutboxItem {
  readonly record: Uint8Array
  readonly replay: Uint8Array | undefined
}

export interface RefusedItem extends OutboxItem {
  /** Hash of the entry that was written in its place. */
  readonly replacedBy: Uint8Array | undefined
}

export function encodeHead(head: Head): Uint8Array {
  return encodeCanonical(head, (w, h) => void w.varint(h.size).fixed(h.logRoot, 32).fixed(h.stateRoot, 32))
}

export function decodeHead(bytes: Uint8Array): Head {
  const r = new Reader(bytes)
  const head = { size: r.varint(), logRoot: r.fixed(32).slice(), stateRoot: r.fixed(32).slice() }
  r.end()
  return head
}

export function encodeDeviceSecrets(secrets: DeviceSecrets): Uint8Array {
  return new Writer(80).fixed(secrets.spaceId, 32).varint(secrets.device).fixed(secrets.signingSeed, 32).finish()
}

export function decodeDeviceSecrets(bytes: Uint8Array): DeviceSecrets {
  const r = new Reader(bytes)
  const secrets = { spaceId: r.fixed(32).slice(), device: r.varint(MAX_ID), signingSeed: r.fixed(32).slice() }
  r.end()
  return secrets
}

export function encodeOutboxItem(item: OutboxItem): Uint8Array {
  const w = new Writer(item.record.length + (item.replay?.length ?? 0) + 16)
  w.bytes(item.record, MAX_ENTRY_LENGTH)
  w.optional(item.replay, (x, replay) => x.bytes(replay, MAX_VALUE_LENGTH))
  return w.finish()
}

export function decodeOutboxItem(bytes: Uint8Array): OutboxItem {
  const r = new Reader(bytes)
  const item = { record: r.bytes(MAX_ENTRY_LENGTH).slice(), replay: r.optional((x) => x.bytes(MAX_VALUE_LENGTH).slice()) }
  r.end()
  return item
}

export function encodeRefusedItem(item: RefusedItem): Uint8Array {
  const w = new Writer(item.record.length + (item.replay?.length ?? 0) + 48)
  w.bytes(encodeOutboxItem(item), MAX_OUTBOX_ITEM)
  w.optional(item.replacedBy, (x, hash) => x.fixed(hash, 32))
  return w.finish()
}

export function decodeRefusedItem(bytes: Uint8Array): RefusedItem {
  const r = new Reader(bytes)
  const item = { ...decodeOutboxItem(r.bytes(MAX_OUTBOX_ITEM)), replacedBy: r.optional((x) => x.fixed(32).slice()) }
  r.end()
  return item
}

const MAX_OUTBOX_ITEM = MAX_ENTRY_LENGTH + MAX_VALUE_LENGTH + 64

/** Names sort as numbers do. */
export function outboxName(sequence: number): string {
  return NAMES.outbox + String(sequence).padStart(15, '0')
}

export function suspectName(device: DeviceId): string {
  return NAMES.suspect + String(device).padStart(10, '0')
}

export function refusedName(sequence: number): string {
  return NAMES.refused + String(sequence).padStart(15, '0')
}

/** Throws `bad-argument` for a store that holds no space. */
export function required(value: Uint8Array | undefined, name: string): Uint8Array {
  if (value === undefined) throw new SealError('bad-argument', `This store holds no space: its ${name} is missing. Create or join one first.`, { name })
  return value
}
