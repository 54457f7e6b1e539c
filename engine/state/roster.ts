/**
 * Records that both the group and the space's state machine read and write (PROTOCOL.md §6): counters, members, devices and where each
 * device stands in the log. Other records live beside the ops that own them.
 */
import { type Reader, type Writer, decodeCanonical, encodeCanonical } from '../codec/canonical.js'
import { MAX_ID } from './keys.js'

export type MemberRole = 'owner' | 'admin' | 'writer' | 'reader'
/** Lowest first: a role may do what the ones before it may. */
export const ROLES = ['reader', 'writer', 'admin', 'owner'] as const
export function atLeast(role: MemberRole, needed: MemberRole): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed)
}

/** Counters. `next…` is the id that the next one admitted or created gets. */
export interface Meta {
  /** The current epoch: what entries must be written under. */
  readonly epoch: number
  /** Epochs before this one are forgotten: their secrets open nothing any more. */
  readonly firstEpoch: number
  /** Generation of the blinding secret that new tables use. */
  readonly generation: number
  /** The oldest one alive: the same, or while the space is re-blinded the one before. */
  readonly firstGeneration: number
  readonly nextMember: number
  readonly nextDevice: number
  readonly nextInvitation: number
  readonly nextObject: number
  /** Index of the last epoch started by a reader or writer, plus one; 0 if none. */
  readonly lastFreeRotation: number
}

export function encodeMeta(meta: Meta): Uint8Array {
  return encodeCanonical(meta, (w, m) => {
    w.varint(m.epoch).varint(m.firstEpoch).varint(m.generation).varint(m.firstGeneration)
    w.varint(m.nextMember).varint(m.nextDevice).varint(m.nextInvitation).varint(m.nextObject).varint(m.lastFreeRotation)
  })
}

export function decodeMeta(bytes: Uint8Array): Meta {
  return decodeCanonical(bytes, (r) => ({
    epoch: r.varint(MAX_ID),
    firstEpoch: r.varint(MAX_ID),
    generation: r.varint(MAX_ID),
    firstGeneration: r.varint(MAX_ID),
    nextMember: r.varint(MAX_ID),
    nextDevice: r.varint(MAX_ID),
    nextInvitation: r.varint(MAX_ID),
    nextObject: r.varint(MAX_ID),
    lastFreeRotation: r.varint(),
  }))
}

export interface MemberRecord {
  readonly role: MemberRole
  readonly admittedAt: number
  readonly removedAt: number | undefined
  /** A sealed value (epoch inside), or empty. */
  readonly profile: Uint8Array
}

export function encodeMember(member: MemberRecord): Uint8Array {
  return encodeCanonical(member, (w, m) => {
    writeRole(w, m.role)
    w.varint(m.admittedAt).optional(m.removedAt, (x, v) => x.varint(v))
    w.bytes(m.profile)
  })
}

export function decodeMember(bytes: Uint8Array): MemberRecord {
  return decodeCanonical(bytes, (r) => ({
    role: readRole(r),
    admittedAt: r.varint(),
    removedAt: r.optional((x) => x.varint()),
    profile: r.copyBytes(bytes.length),
  }))
}

export interface DeviceRecord {
  readonly member: number
  /** Ed25519, 32 bytes. */
  readonly signing: Uint8Array
  /** ristretto255, 32 bytes; replaced by a fresh one after `forget`. */
  readonly agreement: Uint8Array
  /** First epoch whose delivery was made to `agreement`: tells who still holds an older one after `forget`. */
  readonly agreementEpoch: number
  readonly admittedAt: number
  readonly removedAt: number | undefined
  /** A sealed value (epoch inside), or empty. */
  readonly name: Uint8Array
}

export function encodeDevice(device: DeviceRecord): Uint8Array {
  return encodeCanonical(device, (w, d) => {
    w.varint(d.member).fixed(d.signing, 32).fixed(d.agreement, 32).varint(d.agreementEpoch)
    w.varint(d.admittedAt).optional(d.removedAt, (x, v) => x.varint(v))
    w.bytes(d.name)
  })
}

export function decodeDevice(bytes: Uint8Array): DeviceRecord {
  return decodeCanonical(bytes, (r) => ({
    member: r.varint(MAX_ID),
    signing: r.fixed(32).slice(),
    agreement: r.fixed(32).slice(),
    agreementEpoch: r.varint(MAX_ID),
    admittedAt: r.varint(),
    removedAt: r.optional((x) => x.varint()),
    name: r.copyBytes(bytes.length),
  }))
}

/** The last entry of a device that moved its pointer: applied or rejected, never ignored. */
export interface Pointer {
  /** Leaf hash: what the device's next entry must name as `devicePrev`. */
  readonly hash: Uint8Array
  readonly index: number
  readonly rejected: boolean
}

export function encodePointer(pointer: Pointer): Uint8Array {
  return encodeCanonical(pointer, writePointer)
}

function writePointer(w: Writer, { hash, index, rejected }: Pointer): void {
  w.fixed(hash, 32).varint(index).bool(rejected)
}

export function decodePointer(bytes: Uint8Array): Pointer {
  const { index, rejected } = decodeCanonical(bytes, readBehindHash)
  return { hash: bytes.slice(0, 32), index, rejected }
}

function readBehindHash(r: Reader): Omit<Pointer, 'hash'> {
  r.skip(32)
  return { index: r.varint(), rejected: r.bool() }
}

export function writeRole(writer: Writer, role: MemberRole): void {
  writer.u8(ROLES.indexOf(role))
}

export function readRole(reader: Reader): MemberRole {
  const role = ROLES[reader.u8()]
  if (role === undefined) throw reader.bad('Expected a role')
  return role
}
