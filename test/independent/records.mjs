/** Keys and values of the state a second time, from engine/PROTOCOL.md §6.2, §7.2, §8.1, §8.2, §8.5, §8.7 and §9.3 alone. */
import { readObject } from './entries.mjs'
import { bool, bytes, fixed, list, optional, rest, struct, text, u8, value, varint } from './fields.mjs'

export const u16 = (n) => { const out = Buffer.alloc(2); out.writeUInt16BE(n); return out }
export const u32 = (n) => { const out = Buffer.alloc(4); out.writeUInt32BE(n); return out }
const key = (kind, ...parts) => Buffer.concat([Buffer.of(kind), ...parts])

export const at = {
  version: () => key(0x01),
  ring: (size) => key(0x02, u16(size % 1024)),
  counters: () => key(0x03),
  relay: () => key(0x04),
  lost: (logRoot) => key(0x05, logRoot),
  member: (id) => key(0x10, u32(id)),
  device: (id) => key(0x11, u32(id)),
  grave: (publicKey) => key(0x12, publicKey),
  invitation: (id) => key(0x13, u32(id)),
  epoch: (epoch) => key(0x14, u32(epoch)),
  live: (epoch, owner) => key(0x15, u32(epoch), u32(owner)),
  pointer: (device) => key(0x16, u32(device)),
  pair: (holder, id) => key(0x17, Buffer.of(holder), u32(id)),
  repair: (epoch, kind, member) => key(0x18, u32(epoch), Buffer.of(kind), u32(member)),
  object: (id) => key(0x20, u32(id)),
  name: (token) => key(0x21, token),
  rows: (table) => key(0x30, u32(table)),
  row: (table, rowKey) => key(0x30, u32(table), rowKey),
  entries: (table) => key(0x31, u32(table)),
  index: (table, index) => key(0x31, u32(table), u16(index)),
  file: (id) => key(0x40, id),
}
/** All keys of a kind; `idOf` such a key. */
export const kind = (n) => Buffer.of(n)
export const idOf = (stateKey) => stateKey.readUInt32BE(1)

const hash = fixed(32)
export const version = varint
export const heads = struct({ size: varint, head: hash })
export const counters = struct(Object.fromEntries(
  ['epoch', 'firstEpoch', 'generation', 'firstGeneration', 'nextMember', 'nextDevice', 'nextInvitation', 'nextObject', 'lastFreeRotation'].map((name) => [name, varint]),
))
export const relay = struct({ url: text, name: text, publicKey: hash })
export const pointer = struct({ hash, index: varint, rejected: bool })
export const live = varint

export const member = struct({ role: u8, admittedAt: varint, removedAt: optional(varint), name: bytes })
export const device = struct({ member: varint, signing: hash, agreement: hash, agreementEpoch: varint, admittedAt: varint, removedAt: optional(varint), name: bytes })
export const name = struct({ by: varint, sealed: bytes })
export const grave = struct({ holder: u8, id: varint, use: u8 })
export const invitation = struct({ kind: u8, issuer: varint, role: u8, signing: hash, agreement: hash, createdAt: varint, usesLeft: varint, expiresAt: varint })
export const pair = struct({ epoch: varint, c0: hash, c: hash })
export const epoch = struct({
  startedAt: varint, author: varint, reason: u8, c0: hash, data: hash, link: hash, lastForget: varint, linksFrom: varint, box: bytes,
  generations: list(struct({ generation: varint, commitment: hash })), blinding: bytes,
})
export const repair = struct({ device: varint, box: bytes })

const expression = { write: (e) => writeExpression(e) }
function writeExpression(e) {
  const content = () => {
    if (e.kind === 0) return [value.write(e.value)]
    if (e.kind === 1) return [bool.write(e.other), varint.write(e.id)]
    if (e.kind <= 4) return []
    if (e.kind <= 7) return [expression.write(e.of)]
    if (e.kind <= 17) return [expression.write(e.left), expression.write(e.right)]
    if (e.kind === 18) return [expression.write(e.value), list(expression).write(e.list)]
    return [varint.write(e.table), optional(varint).write(e.index), list(expression).write(e.prefix), optional(expression).write(e.where)]
  }
  return Buffer.concat([Buffer.of(e.kind), ...content()])
}

const policy = struct({ command: u8, roles: list(u8), using: optional(expression), check: optional(expression) })
const shape = struct({
  blinded: bool,
  plain: list(struct({ id: varint, type: u8, notNull: bool })),
  indexes: list(struct({ id: varint, plain: bool, unique: bool, columns: list(varint) })),
  policies: list(policy),
})
const definition = { read: readObject, write: struct({ kind: u8, parent: optional(varint), shape: optional(shape) }).write }
export const object = struct({
  version: varint, device: varint, creator: varint, generation: varint, epoch: varint, nameToken: fixed(16), object: definition, sealed: bytes,
})
export const row = struct({
  version: varint, creator: varint, member: varint, device: varint, epoch: varint, plain: list(value), tokens: list(struct({ index: varint, token: fixed(16) })), sealed: rest,
})
export const file = struct({ version: varint, creator: varint, member: varint, device: varint, epoch: varint, length: varint, root: hash, commitment: hash, sealed: fixed(525) })
export const lost = struct({ index: varint, device: varint, size: varint, stateRoot: hash, common: varint, peaksAndLeaves: rest })
