/**
 * Entries a second time, written from engine/PROTOCOL.md §1, §4 (frontier), §6.1, §6.3, §6.4, §7 and §8.1, §8.5 alone, beside group.mjs: what their bytes say, down to
 * every op; the log root they lead to; the verdicts that need no look at rows or catalog (6.3, 1 to 9); and the proofs that ops of the group carry. What the other
 * ops come to it is told. Slow, small and plain. Refusing is throwing.
 */
import { createHash } from 'node:crypto'
import { checkDelivery, checkGrant, checkPossession, isSigned } from './group.mjs'

const H = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()
const refuse = (why) => { throw new Error(why) }
const ZERO = Buffer.alloc(32)
const labelled = (purpose, ...parts) => Buffer.concat([Buffer.from(`sealdb/v1/${purpose}`, 'ascii'), Buffer.of(0), ...parts])
export const leafOf = (record) => H(Buffer.of(0), record)

// §1

class Fields {
  constructor(bytes) { this.bytes = bytes; this.at = 0 }
  take(n) { return n > this.bytes.length - this.at ? refuse('truncated') : this.bytes.subarray(this.at, (this.at += n)) }
  u8() { return this.take(1)[0] }
  below(n) { const value = this.u8(); return value < n ? value : refuse('an unknown code') }
  bool() { return this.below(2) === 1 }
  long(bits) {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const b = this.u8()
      value |= BigInt(b & 127) << shift
      if (value >> bits > 0n || shift > bits) refuse('too long a number')
      if (b < 128) return b === 0 && shift > 0n ? refuse('a number that could be shorter') : value
    }
  }
  varint() { return Number(this.long(48n)) }
  id() { const id = this.varint(); return id < 2 ** 32 ? id : refuse('an id of more than 32 bits') }
  string() { return this.take(this.varint()) }
  text() { return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.string()) }
  optional(read) { return this.bool() ? read() : undefined }
  list(read, most = Infinity) {
    const count = this.varint()
    if (count > most || count > this.bytes.length - this.at) refuse('too many')
    return Array.from({ length: count }, read)
  }
  value() {
    switch (this.below(5)) {
      case 0: return null
      case 1: { const n = this.long(64n); return n % 2n === 0n ? n / 2n : -(n + 1n) / 2n }
      case 2: { const x = this.take(8).readDoubleBE(); return Number.isNaN(x) || Object.is(x, -0) ? refuse('NaN or -0') : x }
      case 3: return this.text()
      default: return this.string()
    }
  }
  end() { if (this.at < this.bytes.length) refuse('bytes left over') }
}

// §6.4, §7.6, §8.1, §8.5: each op's fields. Tag → least role (reader 0 … owner 3; none: any member) and what is read.

const row = (f) => ({ table: f.id(), rowKey: f.string() })
const tokens = (f) => f.list(() => ({ index: f.varint(), token: f.take(16) }))
const put = (f) => ({ ...row(f), plain: f.list(() => f.value()), tokens: tokens(f), sealed: f.string() })
const own = (f) => ({ signing: f.take(32), agreement: f.take(32) })
const named = (f) => ({ id: f.id(), object: object(f) })

function object(f) {
  const [kind, parent] = [f.below(5), f.optional(() => f.id())]
  const shape = f.optional(() => ({
    blinded: f.bool(),
    plain: f.list(() => ({ id: f.id(), type: f.below(5), notNull: f.bool() }), 2000),
    indexes: f.list(() => ({ id: f.varint(), plain: f.bool(), unique: f.bool(), columns: f.list(() => f.id(), 64) }), 64),
    policies: f.list(() => policy(f), 256),
  }))
  return { kind, parent, shape }
}

function policy(f) {
  const [command, roles] = [f.below(4), f.list(() => f.below(4))]
  if (new Set(roles).size < roles.length) refuse('a role twice')
  let nodes = 0
  const expression = (depth) => {
    if (depth > 32 || ++nodes > 512) refuse('too large a policy')
    const operand = () => expression(depth + 1)
    const kind = f.below(20)
    if (kind === 0) return { kind, value: f.value() }
    if (kind === 1) return { kind, other: f.bool(), id: f.id() }
    if (kind <= 4) return { kind }
    if (kind <= 7) return { kind, of: operand() }
    if (kind <= 17) return { kind, left: operand(), right: operand() }
    if (kind === 18) return { kind, value: operand(), list: f.list(operand) }
    return { kind, table: f.id(), index: f.optional(() => f.varint()), prefix: f.list(operand), where: f.optional(operand) }
  }
  return { command, roles, using: f.optional(() => expression(1)), check: f.optional(() => expression(1)) }
}

const OPS = {
  0x01: ['insert', 1, put],
  0x02: ['update', 1, put],
  0x03: ['delete', 1, row],
  0x04: ['reseal', 2, (f) => ({ ...row(f), tokens: tokens(f), sealed: f.string() })],
  0x05: ['rekey', 2, (f) => ({ ...row(f), newKey: f.take(16), tokens: tokens(f), sealed: f.string() })],
  0x08: ['create', 1, (f) => ({ ...named(f), nameToken: f.take(16), sealed: f.string() })],
  0x09: ['replace', 1, (f) => ({ ...named(f), nameToken: f.optional(() => f.take(16)), sealed: f.string() })],
  0x0a: ['drop', 1, (f) => ({ id: f.id() })],
  0x0b: ['reseal-object', 2, (f) => ({ id: f.id(), sealed: f.string() })],
  0x0c: ['relay', 3, (f) => ({ relay: f.optional(() => ({ url: f.text(), name: f.text(), publicKey: f.take(32) })) })],
  0x0d: ['upgrade', 3, (f) => ({ version: f.varint() })],
  0x0f: ['reblind-object', 2, (f) => ({ id: f.id(), nameToken: f.take(16), sealed: f.string() })],
  0x0e: ['rollback.accept', 2, (f) => {
    const common = f.varint()
    return { common, peaks: peaksOf(common).map(() => f.take(32)), leaves: f.list(() => f.take(32)), lostIsLarger: f.bool(), evidence: f.string() }
  }],
  0x10: ['genesis', undefined, (f) => ({ ...own(f), possession: f.take(128), delivery: f.take(160), commitments: f.take(64), blindingCommitment: f.take(32), blinding: f.string() })],
  0x11: ['invite.create', 0, (f) => ({ id: f.id(), kind: f.below(2), role: f.below(4), uses: f.varint(), expiresAt: f.varint(), ...own(f), possession: f.take(128), grant: f.take(224) })],
  0x12: ['invite.revoke', 0, (f) => ({ id: f.id() })],
  0x13: ['join', undefined, (f) => ({ invitation: f.id(), role: f.below(4), ...own(f), possession: f.take(128), acceptance: f.take(64), grant: f.take(224), memberName: f.string(), deviceName: f.string() })],
  0x14: ['member.role', 2, (f) => ({ id: f.id(), from: f.below(4), to: f.below(4) })],
  0x15: ['member.remove', 0, (f) => ({ id: f.id() })],
  0x16: ['device.remove', 0, (f) => ({ id: f.id() })],
  0x17: ['rotate', 0, (f) => ({ epoch: f.id(), delivery: f.string(), commitments: f.take(64), link: f.string(), generations: f.list(() => ({ generation: f.id(), commitment: f.take(32) })), blinding: f.string() })],
  0x19: ['link.repair', 0, (f) => ({ epoch: f.id(), kind: f.below(2), box: f.string() })],
  0x1a: ['forget', 3, (f) => ({ before: f.id() })],
  0x1b: ['agreement.refresh', 0, (f) => ({ agreement: f.take(32), possession: f.take(128), grant: f.take(224) })],
  0x30: ['file.put', 1, (f) => ({ id: f.take(32), length: f.varint(), root: f.take(32), commitment: f.take(32), sealed: f.take(525) })],
  0x31: ['file.delete', 1, (f) => ({ id: f.take(32) })],
  0x32: ['file.reseal', 2, (f) => ({ id: f.take(32), sealed: f.take(525) })],
  0x1c: ['profile', 0, (f) => ({ subject: f.below(2), id: f.id(), sealed: f.string() })],
}
const peaksOf = (size) => [...size.toString(2)].filter((bit) => bit === '1')
const SELF_SIGNED = ['genesis', 'join']
export const ROLES = ['reader', 'writer', 'admin', 'owner']

/** §6.1. */
export function decodeRecord(record) {
  const bytes = record.subarray(0, -64)
  const f = new Fields(bytes)
  if (f.u8() !== 1) refuse('another version')
  const header = { space: f.take(32), base: { size: f.varint(), logRoot: f.take(32), stateRoot: f.take(32) }, device: f.id(), devicePrev: f.take(32), epoch: f.id(), time: f.varint(), adopted: f.bool() }
  const reads = f.list(() => ({ prefix: f.string(), root: f.take(32) }), 4096)
  const ops = f.list(() => {
    const [name, least, read] = OPS[f.u8()] ?? refuse('an unknown op')
    const op = { name, least, ...read(f) }
    if (name === 'member.role' && op.from === op.to) refuse('no change of role')
    return op
  }, 100_000)
  f.end()
  const isSelfSigned = ops.some(({ name }) => SELF_SIGNED.includes(name))
  if (header.device === 0 ? ops.length !== 1 || !isSelfSigned || reads.length > 0 : ops.length === 0 || isSelfSigned) refuse('an author, or none, against the ops')
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

/** §6.3, 1 to 9, and §7.3, over records in sequence. */
export class Space {
  constructor(spaceId) {
    this.spaceId = spaceId
    this.log = new Log()
    this.heads = [{ size: 0, logRoot: H(), stateRoot: H(Buffer.of(0x12)) }]
    this.members = new Map()
    this.devices = new Map()
    this.invitations = new Map()
    this.pointers = new Map()
    this.pairs = new Map()
    this.epoch = 0
    this.isVoid = false
    this.nextMember = 1
    this.nextDevice = 1
  }

  /** The verdict on the next record, or nothing if its ops decide. */
  judge(record) {
    const ignored = (code) => ({ kind: 'ignored', code })
    const rejected = (code, more) => ({ kind: 'rejected', code, ...more })
    if (record.length > 2 ** 25) return ignored('too-long')
    if (record.length < 65) return ignored('malformed')
    if (record[0] !== 1) return ignored('version')
    let entry
    try {
      entry = decodeRecord(record)
    } catch {
      return ignored('malformed')
    }
    const [first] = entry.ops
    if (!(first.name === 'genesis' ? entry.space.equals(ZERO) && spaceIdOf(record).equals(this.spaceId) : entry.space.equals(this.spaceId))) return ignored('space')
    const device = this.devices.get(entry.device)
    const author = device && this.members.get(device.member)
    if (entry.device !== 0 && !(device?.isLive && author.isLive)) return ignored('device')
    if (!isSigned((device ?? first).signing, first.name === 'genesis' ? 'genesis' : 'entry', entry.bytes, entry.signature)) return ignored('signature')
    if (!entry.devicePrev.equals(device ? this.pointers.get(entry.device).hash : ZERO)) return ignored('device-prev')
    const fails = (code, more) => (device ? rejected(code, more) : { kind: 'ignored', code: 'join', detail: code })
    const n = this.heads.length - 1
    const head = this.heads[entry.base.size]
    if (head === undefined || entry.base.size < n - 1024 || !head.logRoot.equals(entry.base.logRoot) || !head.stateRoot.equals(entry.base.stateRoot)) return fails('base')
    const pointer = this.pointers.get(entry.device)
    if (pointer?.isRejected && pointer.index >= entry.base.size) return fails('chain')
    if (entry.epoch !== (first.name === 'genesis' ? 1 : this.epoch)) return fails('epoch')
    const refused = device ? entry.ops.findIndex(({ least }) => least > author.role) : -1
    return refused < 0 ? undefined : rejected('role', { op: refused, detail: ROLES[entry.ops[refused].least] })
  }

  /** What a verdict leaves behind; of an applied entry every proof in it is checked on the way. */
  settle(record, verdict, stateRoot) {
    const n = this.heads.length - 1
    const leaf = leafOf(record)
    if (verdict.kind !== 'ignored') {
      const entry = decodeRecord(record)
      let device = entry.device
      if (verdict.kind === 'applied') for (const op of entry.ops) device = this.apply(entry, op, n) ?? device
      this.pointers.set(device, { hash: leaf, index: n, isRejected: verdict.kind === 'rejected' })
    }
    this.log.append(leaf)
    this.heads.push({ size: n + 1, logRoot: this.log.root(), stateRoot })
  }

  /** The device that was admitted, if one was. */
  apply(entry, op, n) {
    const isGenesis = op.name === 'genesis'
    const space = isGenesis ? ZERO : this.spaceId
    const device = this.devices.get(entry.device)
    const at = { space, ...entry.base }
    const context = (author, epoch) => ({ ...at, epoch, author })
    const possessed = (kind, admitter, id, role, signing) => checkPossession({ ...at, kind, admitter, id, role: ROLES[role] }, signing, op.agreement, op.possession)
    const granted = (author, holder, granter, recipient) => checkGrant(context(author, this.epoch), { granter, ...this.pairs.get(holder), recipient }, op.grant)
    switch (op.name) {
      case 'genesis': {
        possessed('genesis', op.signing, 1, 3, op.signing)
        this.epoch = 1
        const [pair] = checkDelivery(context(op.signing, 1), [op.agreement], op.delivery)
        return this.admit(op, this.addMember(3), pair)
      }
      case 'invite.create':
        possessed('invitation', device.signing, op.id, op.role, op.signing)
        this.pairs.set(`i${op.id}`, granted(device.signing, `d${entry.device}`, device.agreement, op.agreement))
        this.invitations.set(op.id, { ...op, issuer: device.member })
        return undefined
      case 'join': {
        const invitation = this.invitations.get(op.invitation)
        possessed('acceptance', invitation.signing, op.invitation, op.role, op.signing)
        const acceptance = Buffer.concat([space, varint(op.invitation), Buffer.of(op.role), op.signing, op.agreement, varint(entry.base.size), entry.base.logRoot, entry.base.stateRoot])
        if (!isSigned(invitation.signing, 'acceptance', acceptance, op.acceptance)) refuse('the acceptance')
        const pair = granted(invitation.signing, `i${op.invitation}`, invitation.agreement, op.agreement)
        if (--invitation.uses === 0) this.endInvitation(op.invitation)
        return this.admit(op, invitation.kind === 1 ? invitation.issuer : this.addMember(op.role), pair)
      }
      case 'agreement.refresh':
        possessed('agreement', device.signing, entry.device, this.members.get(device.member).role, device.signing)
        this.pairs.set(`d${entry.device}`, granted(device.signing, `d${entry.device}`, device.agreement, op.agreement))
        device.agreement = op.agreement
        return undefined
      case 'rotate': {
        for (const [id, { expiresAt, issuer }] of this.invitations) if (n >= expiresAt || !this.members.get(issuer).isLive) this.endInvitation(id)
        const holders = [...this.devices].filter(([, { isLive }]) => isLive).map(([id, { agreement }]) => ({ holder: `d${id}`, agreement }))
        holders.push(...[...this.invitations].map(([id, { agreement }]) => ({ holder: `i${id}`, agreement })))
        const pairs = checkDelivery(context(device.signing, op.epoch), holders.map(({ agreement }) => agreement), op.delivery)
        holders.forEach(({ holder }, i) => this.pairs.set(holder, pairs[i]))
        this.epoch = op.epoch
        this.isVoid = false
        return undefined
      }
      case 'invite.revoke': return void this.endInvitation(op.id)
      case 'member.role': return void (this.members.get(op.id).role = op.to)
      case 'member.remove': {
        this.members.get(op.id).isLive = false
        return this.remove([...this.devices].filter(([, { member }]) => member === op.id).map(([id]) => id), entry.device)
      }
      case 'device.remove': return this.remove([op.id], entry.device)
      case 'forget': return void [...this.invitations.keys()].forEach((id) => this.endInvitation(id))
      default: return undefined
    }
  }

  addMember(role) {
    this.members.set(this.nextMember, { role, isLive: true })
    return this.nextMember++
  }

  admit({ signing, agreement }, member, pair) {
    const id = this.nextDevice++
    this.devices.set(id, { member, signing, agreement, isLive: true })
    this.pairs.set(`d${id}`, pair)
    return id
  }

  endInvitation(id) {
    this.invitations.delete(id)
    this.pairs.delete(`i${id}`)
  }

  /** §7.7. */
  remove(devices, author) {
    for (const id of devices) this.devices.get(id).isLive = false
    for (const id of [...this.invitations.keys()]) this.endInvitation(id)
    if (!devices.includes(author) || this.isVoid) return undefined
    this.epoch++
    this.isVoid = true
    return undefined
  }
}

function varint(n) {
  const out = []
  for (; n > 127; n = Math.floor(n / 128)) out.push((n % 128) | 128)
  return Buffer.from([...out, n])
}
