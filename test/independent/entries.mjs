/**
 * Entries a second time, written from engine/PROTOCOL.md §1, §4 (frontier), §6.1, §6.4, §7.6, §8.1 and §8.5 alone: what their bytes say, down to every op, within
 * which bounds, and the log root they lead to. Refusing is throwing.
 */
import { createHash } from 'node:crypto'
import { Fields } from './fields.mjs'

const H = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()
const refuse = (why) => { throw new Error(why) }
const labelled = (purpose, ...parts) => Buffer.concat([Buffer.from(`sealdb/v1/${purpose}`, 'ascii'), Buffer.of(0), ...parts])
export const leafOf = (record) => H(Buffer.of(0), record)

// §6.4, §7.6, §8.1, §8.5: each op's fields. Tag → least role (reader 0 … owner 3; none: any member) and what is read.

const row = (f) => ({ table: f.id(), rowKey: f.string(250) })
const index = (f) => f.varint(2 ** 16 - 1)
const tokens = (f) => f.list(() => ({ index: index(f), token: f.take(16) }), 64)
const sealed = (f) => f.string(2 ** 24)
const box = (f) => f.string(2 ** 16)
const name = (f) => f.string(1024)
const put = (f) => ({ ...row(f), plain: f.list(() => f.value(2 ** 24), 2000), tokens: tokens(f), sealed: sealed(f) })
const own = (f) => ({ signing: f.take(32), agreement: f.take(32) })
const named = (f) => ({ id: f.id(), object: readObject(f) })

export function readObject(f) {
  const [kind, parent] = [f.below(5), f.optional(() => f.id())]
  const shape = f.optional(() => ({
    blinded: f.bool(),
    plain: f.list(() => ({ id: f.id(), type: f.below(5), notNull: f.bool() }), 2000),
    indexes: f.list(() => ({ id: index(f), plain: f.bool(), unique: f.bool(), columns: f.list(() => f.id(), 64) }), 64),
    policies: f.list(() => policy(f), 256),
  }))
  return { kind, parent, shape }
}

function policy(f) {
  const [command, roles] = [f.below(4), f.list(() => f.below(4), 4)]
  if (new Set(roles).size < roles.length) refuse('a role twice')
  let nodes = 0
  const expression = (depth) => {
    if (depth > 32 || ++nodes > 512) refuse('too large a policy')
    const operand = () => expression(depth + 1)
    const kind = f.below(20)
    if (kind === 0) return { kind, value: f.value(4096) }
    if (kind === 1) return { kind, other: f.bool(), id: f.id() }
    if (kind <= 4) return { kind }
    if (kind <= 7) return { kind, of: operand() }
    if (kind <= 17) return { kind, left: operand(), right: operand() }
    if (kind === 18) return { kind, value: operand(), list: f.list(operand, 256) }
    return { kind, table: f.id(), index: f.optional(() => index(f)), prefix: f.list(operand, 64), where: f.optional(operand) }
  }
  return { command, roles, using: f.optional(() => expression(1)), check: f.optional(() => expression(1)) }
}

const OPS = {
  0x01: ['insert', 1, put],
  0x02: ['update', 1, put],
  0x03: ['delete', 1, row],
  0x04: ['reseal', 2, (f) => ({ ...row(f), tokens: tokens(f), sealed: sealed(f) })],
  0x05: ['rekey', 2, (f) => ({ ...row(f), newKey: f.take(16), tokens: tokens(f), sealed: sealed(f) })],
  0x08: ['create', 1, (f) => ({ ...named(f), nameToken: f.take(16), sealed: sealed(f) })],
  0x09: ['replace', 1, (f) => ({ ...named(f), nameToken: f.optional(() => f.take(16)), sealed: sealed(f) })],
  0x0a: ['drop', 1, (f) => ({ id: f.id() })],
  0x0b: ['reseal-object', 2, (f) => ({ id: f.id(), sealed: sealed(f) })],
  0x0c: ['relay', 3, (f) => ({ relay: f.optional(() => ({ url: f.text(2048), name: f.text(255), publicKey: f.take(32) })) })],
  0x0d: ['upgrade', 3, (f) => ({ version: f.varint(255) })],
  0x0f: ['reblind-object', 2, (f) => ({ id: f.id(), nameToken: f.take(16), sealed: sealed(f) })],
  0x0e: ['rollback.accept', 2, (f) => {
    const common = f.varint()
    return { common, peaks: peaksOf(common).map(() => f.take(32)), leaves: f.list(() => f.take(32), 65_536), lostIsLarger: f.bool(), evidence: f.string(3 * 2 ** 16) }
  }],
  0x10: ['genesis', undefined, (f) => ({ ...own(f), possession: f.take(128), delivery: f.take(160), commitments: f.take(64), blindingCommitment: f.take(32), blinding: box(f) })],
  0x11: ['invite.create', 0, (f) => ({ id: f.id(), kind: f.below(2), role: f.below(4), uses: f.varint(), expiresAt: f.varint(), ...own(f), possession: f.take(128), grant: f.take(224) })],
  0x12: ['invite.revoke', 0, (f) => ({ id: f.id() })],
  0x13: ['join', undefined, (f) => ({ invitation: f.id(), role: f.below(4), ...own(f), possession: f.take(128), acceptance: f.take(64), grant: f.take(224), memberName: name(f), deviceName: name(f) })],
  0x14: ['member.role', 2, (f) => ({ id: f.id(), from: f.below(4), to: f.below(4) })],
  0x15: ['member.remove', 0, (f) => ({ id: f.id() })],
  0x16: ['device.remove', 0, (f) => ({ id: f.id() })],
  0x17: ['rotate', 0, (f) => ({ epoch: f.id(), delivery: f.string(32 * 4100), commitments: f.take(64), link: box(f), generations: f.list(() => ({ generation: f.id(), commitment: f.take(32) }), 2), blinding: box(f) })],
  0x19: ['link.repair', 0, (f) => ({ epoch: f.id(), kind: f.below(2), box: box(f) })],
  0x1a: ['forget', 3, (f) => ({ before: f.id() })],
  0x1b: ['agreement.refresh', 0, (f) => ({ agreement: f.take(32), possession: f.take(128), grant: f.take(224) })],
  0x30: ['file.put', 1, (f) => ({ id: f.take(32), length: f.varint(2 ** 32), root: f.take(32), commitment: f.take(32), sealed: f.take(525) })],
  0x31: ['file.delete', 1, (f) => ({ id: f.take(32) })],
  0x32: ['file.reseal', 2, (f) => ({ id: f.take(32), sealed: f.take(525) })],
  0x1c: ['profile', 0, (f) => ({ subject: f.below(2), id: f.id(), sealed: name(f) })],
}
const peaksOf = (size) => [...size.toString(2)].filter((bit) => bit === '1')
const SELF_SIGNED = ['genesis', 'join']

/** §6.1. */
export function decodeRecord(record) {
  const bytes = record.subarray(0, -64)
  const f = new Fields(bytes)
  if (f.u8() !== 1) refuse('another version')
  const header = { space: f.take(32), base: { size: f.varint(), logRoot: f.take(32), stateRoot: f.take(32) }, device: f.id(), devicePrev: f.take(32), epoch: f.id(), time: f.varint(), adopted: f.bool() }
  const reads = f.list(() => ({ prefix: f.string(255), root: f.take(32) }), 4096)
  const ops = f.list(() => {
    const [name, least, read] = OPS[f.u8()] ?? refuse('an unknown op')
    const op = { name, least, ...read(f) }
    if (name === 'member.role' && op.from === op.to) refuse('no change of role')
    return op
  }, 100_000)
  f.end()
  const isSelfSigned = ops.some(({ name }) => SELF_SIGNED.includes(name))
  if (header.device === 0 ? ops.length !== 1 || !isSelfSigned : ops.length === 0 || isSelfSigned) refuse('an author, or none, against the ops')
  return { ...header, bytes, signature: record.subarray(-64), reads, ops }
}

export const spaceIdOf = (record) => H(labelled('space-id', record.subarray(0, -64)))

/** §4: the log as its frontier. */
export class Log {
  constructor() { this.size = 0; this.roots = [] }
  append(leaf) {
    let c = leaf
    for (let rest = this.size; rest % 2 === 1; rest = (rest - 1) / 2) c = H(Buffer.of(1), this.roots.pop(), c)
    this.roots.push(c)
    this.size++
  }
  root() { return this.roots.length === 0 ? H() : this.roots.reduceRight((right, left) => H(Buffer.of(1), left, right)) }
}
