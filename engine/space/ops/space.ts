/** Ops on the space as a whole (PROTOCOL.md §6): the relay it is attached to, and the protocol version. */
import { equalBytes } from '../../codec/bytes.js'
import { decodeCanonical, encodeCanonical, type Reader, type Writer } from '../../codec/canonical.js'
import { requireOr } from '../../state/context.js'
import { protocolKey, relayKey } from '../../state/keys.js'
import { type SpaceOpCodec } from '../context.js'

export interface RelayRecord {
  readonly url: string
  readonly name: string
  /** Ed25519: it signs the checkpoint notes. */
  readonly publicKey: Uint8Array
}

export interface SetRelayOp {
  readonly op: 'relay'
  /** Undefined: attached to none. */
  readonly relay: RelayRecord | undefined
}
export interface UpgradeOp {
  readonly op: 'upgrade'
  /** The version after the present one. Clients that don't know it stop there and say so. */
  readonly version: number
}

const MAX_URL_LENGTH = 2_048
const MAX_RELAY_NAME_LENGTH = 255

export const setRelay: SpaceOpCodec<SetRelayOp> = {
  tag: 0x0c,
  name: 'relay',
  role: 'owner',
  write: (w, op) => void w.optional(op.relay, writeRelay),
  read: (r) => ({ op: 'relay', relay: r.optional(readRelay) }),
  apply(ctx, op) {
    if (op.relay) ctx.put(relayKey(), encodeCanonical(op.relay, writeRelay))
    else ctx.delete(relayKey())
  },
}

export const upgrade: SpaceOpCodec<UpgradeOp> = {
  tag: 0x0d,
  name: 'upgrade',
  role: 'owner',
  write: (w, op) => void w.varint(op.version),
  read: (r) => ({ op: 'upgrade', version: r.varint(255) }),
  apply(ctx, op) {
    requireOr(op.version === protocolVersion(ctx.get(protocolKey())) + 1, 'rule', 'next-version')
    ctx.put(protocolKey(), encodeProtocol(op.version))
  },
}

/** The same signs for both, wherever it is. */
export function isSameRelay(a: RelayRecord | undefined, b: RelayRecord | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.name === b.name && equalBytes(a.publicKey, b.publicKey)
}

export function encodeProtocol(version: number): Uint8Array {
  return encodeCanonical(version, (w, v) => void w.varint(v))
}

/** Absent before genesis: version 1 then. */
export function protocolVersion(bytes: Uint8Array | undefined): number {
  return bytes === undefined ? 1 : decodeCanonical(bytes, (r) => r.varint())
}

export function decodeRelay(bytes: Uint8Array): RelayRecord {
  return decodeCanonical(bytes, readRelay)
}

function writeRelay(w: Writer, relay: RelayRecord): void {
  w.text(relay.url, MAX_URL_LENGTH).text(relay.name, MAX_RELAY_NAME_LENGTH).fixed(relay.publicKey, 32)
}

function readRelay(r: Reader): RelayRecord {
  return { url: r.text(MAX_URL_LENGTH), name: r.text(MAX_RELAY_NAME_LENGTH), publicKey: r.fixed(32).slice() }
}
