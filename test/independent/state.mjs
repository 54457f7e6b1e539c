/**
 * The state machine a second time, written from engine/PROTOCOL.md §5 to §8 (and §9.2, §9.3 for `rollback.accept`) alone: each record's verdict and the state after
 * it, with nothing told but the space's id. Bytes of entries: entries.mjs. Ops: *-ops.mjs. Slow, small and plain.
 */
import { createHash, createPublicKey, verify } from 'node:crypto'
import { catalogOps } from './catalog-ops.mjs'
import { Content } from './content.mjs'
import { decodeRecord, leafOf, Log, spaceIdOf } from './entries.mjs'
import { decode, encode } from './fields.mjs'
import { epochOps } from './epoch-ops.mjs'
import { fileOps } from './file-ops.mjs'
import { isSigned } from './group.mjs'
import { memberOps } from './member-ops.mjs'
import { at } from './records.mjs'
import * as records from './records.mjs'
import { relayOps } from './relay-ops.mjs'
import { checkEnd, rowOps } from './row-ops.mjs'
import { isLive, Refusal, ROLES, Work } from './work.mjs'

const H = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()
const ZERO = Buffer.alloc(32)
const OPS = { ...rowOps, ...catalogOps, ...fileOps, ...relayOps, ...memberOps, ...epochOps }
const ignored = (code, detail) => ({ kind: 'ignored', code, ...(detail !== undefined && { detail }) })
const rejected = (code, detail, op) => ({ kind: 'rejected', code, ...(op !== undefined && { op }), ...(detail !== undefined && { detail }) })
const markOf = ({ logRoot, stateRoot }) => H(logRoot, stateRoot)

export class Machine {
  constructor(spaceId) {
    this.spaceId = spaceId
    this.log = new Log()
    this.content = new Content()
  }

  /** The same state, to try something on. */
  copy() {
    const other = new Machine(this.spaceId)
    other.content = this.content.copy()
    Object.assign(other.log, { size: this.log.size, roots: [...this.log.roots] })
    return other
  }

  head() {
    return { size: this.log.size, logRoot: this.log.root(), stateRoot: this.content.root() }
  }

  /** §6.3. */
  take(record) {
    const protocol = this.read('version', at.version())
    if (protocol !== undefined && protocol !== 1) throw new Error('a version of the protocol that this is none of')
    const head = this.head()
    const { verdict, entry, work } = this.judge(record, head)
    if (verdict.kind === 'applied') this.content = work.content
    else this.content = this.content.copy()
    this.content.set(at.ring(head.size), encode(records.heads, { size: head.size, head: markOf(head) }))
    const moved = verdict.kind === 'ignored' ? undefined : (work?.admitted ?? entry.device)
    if (moved !== undefined) this.content.set(at.pointer(moved), encode(records.pointer, { hash: leafOf(record), index: head.size, rejected: verdict.kind === 'rejected' }))
    this.log.append(leafOf(record))
    return verdict
  }

  read(name, key) {
    const found = this.content.get(key)
    return found && decode(records[name], found)
  }

  judge(record, head) {
    if (record.length > 2 ** 25) return { verdict: ignored('too-long') }
    if (record.length < 65) return { verdict: ignored('malformed') }
    if (record[0] !== 1) return { verdict: ignored('version') }
    let entry
    try {
      entry = decodeRecord(record)
    } catch {
      return { verdict: ignored('malformed') }
    }
    const code = this.ignores(record, entry)
    if (code !== undefined) return { verdict: ignored(code) }
    const isJoin = entry.device === 0
    let work
    try {
      this.check(entry, head)
      work = new Work(this.content, entry, head.size, this.spaceId)
      runOps(work)
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal
      const { code: why, detail, op } = refusal
      return { entry, verdict: isJoin ? ignored('join', detail ?? why) : rejected(why, detail, op) }
    }
    return { entry, work, verdict: { kind: 'applied' } }
  }

  /** 2 to 5. */
  ignores(record, entry) {
    const [first] = entry.ops
    const isGenesis = first.name === 'genesis'
    if (!(isGenesis ? entry.space.equals(ZERO) && spaceIdOf(record).equals(this.spaceId) : entry.space.equals(this.spaceId))) return 'space'
    let device
    if (entry.device !== 0) {
      device = this.read('device', at.device(entry.device))
      if (!isLive(device) || !isLive(this.read('member', at.member(device.member)))) return 'device'
    }
    const check = device ? isSignedFast : isSigned
    if (!check((device ?? first).signing, isGenesis ? 'genesis' : 'entry', entry.bytes, entry.signature)) return 'signature'
    const before = device ? this.read('pointer', at.pointer(entry.device)).hash : ZERO
    return entry.devicePrev.equals(before) ? undefined : 'device-prev'
  }

  /** 6 to 10. */
  check(entry, head) {
    const { base, device } = entry
    const isHead = base.size === head.size && base.logRoot.equals(head.logRoot) && base.stateRoot.equals(head.stateRoot)
    const known = this.read('heads', at.ring(base.size))
    if (!isHead && !(known?.size === base.size && known.head.equals(markOf(base)))) throw new Refusal('base')
    const pointer = device === 0 ? undefined : this.read('pointer', at.pointer(device))
    if (pointer?.rejected && pointer.index >= base.size) throw new Refusal('chain')
    const current = this.read('counters', at.counters())?.epoch ?? 1
    if (entry.epoch !== current) throw new Refusal('epoch')
    if (device !== 0) {
      const { role } = this.read('member', at.member(this.read('device', at.device(device)).member))
      const above = entry.ops.findIndex(({ least }) => least > role)
      if (above >= 0) throw new Refusal('role', ROLES[entry.ops[above].least], above)
    }
    else if (entry.reads.length > 0) throw new Refusal('reads')
    if (!entry.reads.every(({ prefix, root }) => this.content.subtreeRoot(prefix).equals(root))) throw new Refusal('conflict', 'reads')
  }
}

/** 11. */
function runOps(work) {
  const { ops } = work.entry
  ops.forEach((op, i) => {
    work.opIndex = i
    work.isLastOp = i === ops.length - 1
    try {
      OPS[op.name](work, op)
    } catch (refusal) {
      if (refusal instanceof Refusal) refusal.op ??= i
      throw refusal
    }
  })
  checkEnd(work)
}

/** §3.2: OpenSSL's yes is a yes for a key that was admitted, its no must be asked again. */
function isSignedFast(publicKey, purpose, bytes, signature) {
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey.toString('base64url') }, format: 'jwk' })
  const message = Buffer.concat([Buffer.from(`sealdb/v1/${purpose}\0`), bytes])
  return verify(null, message, key, signature) || isSigned(publicKey, purpose, bytes, signature)
}
