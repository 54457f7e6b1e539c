/**
 * What members of a random life do: ops by the real builders where a proof or a secret is in them, and plain ones made by hand where verifiers look at no secret: a
 * sealed value that nothing opens is as good for a verdict.
 */
import { concatBytes } from '../../engine/codec/bytes.js'
import { buildForget, buildLeave, buildRemoval, buildRepair, buildRotate } from '../../engine/group/build-epoch.js'
import { buildInvite, buildJoin, buildNameReseals, buildProfile, buildRefresh, buildRole } from '../../engine/group/builders.js'
import { listDevices, listInvitations, listMembers } from '../../engine/group/roster.js'
import { type JoinOp } from '../../engine/group/ops/join.js'
import { type Signer } from '../../engine/crypto/provider.js'
import { decodeObject, type ObjectRecord, storedObjects } from '../../engine/space/catalog.js'
import { type ReadClaim } from '../../engine/space/entry.js'
import { fileIdOf, storedFiles } from '../../engine/space/file-record.js'
import { type Op } from '../../engine/space/ops/index.js'
import { type Head, type Role } from '../../engine/space/types.js'
import { KEY_KIND, ROW_PREFIX_LENGTH, rowPrefix, prefixEnd } from '../../engine/state/keys.js'
import { decodeRow } from '../../engine/space/row-record.js'
import { crypto, type Person } from '../space/world.js'
import { type Life } from './lives.js'
import { encodeKey } from './formats.mjs'
import { randomShape, replacedShape, valueFor } from './shapes.js'

export interface Ticket { readonly invitation: number; readonly secret: Uint8Array; readonly role: Role; readonly member?: number }
interface Stored extends ObjectRecord { readonly id: number }
const FORGET = 3
const ROLES: readonly Role[] = ['reader', 'writer', 'admin', 'owner']

export class Moves {
  private readonly life: Life
  constructor(life: Life) {
    this.life = life
  }

  private get state() {
    return this.life.world.state.tree
  }
  private bytes(n: number): Uint8Array {
    return this.life.world.random(n)
  }
  private sealed(length = 80): Uint8Array {
    const { epoch } = this.life.meta
    return concatBytes(Uint8Array.of(1, 0, 0, epoch >> 8, epoch), this.bytes(length - 5))
  }
  private context(by: Person, base: Head) {
    return { ...this.life.world.context(by), base }
  }
  objects(): Stored[] {
    return [...storedObjects(this.state)].map(({ id, value }) => ({ id, ...decodeObject(value) }))
  }

  /** Ops of one entry, of one kind or of several. */
  next(by: Person, base: Head): readonly Op[] {
    const { roll } = { roll: (n: number) => this.life.roll(n) }
    const ops = this.some(by, base)
    return roll(6) === 0 ? (roll(2) === 0 ? [...ops, ...this.some(by, base)] : [...this.some(by, base), ...ops]) : ops
  }

  private some(by: Person, base: Head): readonly Op[] {
    const { life } = this
    const kind = life.roll(20)
    if (kind < 8) return Array.from({ length: 1 + life.roll(5) }, () => this.row()).flat()
    if (kind < 11) return Array.from({ length: 1 + life.roll(2) }, (_, i) => this.catalog(i)).flat()
    if (kind < 13) return Array.from({ length: 1 + life.roll(2) }, () => this.file()).flat()
    if (kind < 15) return this.upkeep()
    return this.group(by, base)
  }

  // Rows

  private rowKeys(table: number): Uint8Array[] {
    return [...this.state.scan(rowPrefix(table), prefixEnd(rowPrefix(table)))].map(({ key }) => key.slice(ROW_PREFIX_LENGTH))
  }
  private token(generation: number, wide = false): Uint8Array {
    return Uint8Array.of((wide ? this.life.pick([generation, generation, this.life.meta.firstGeneration]) : generation) & 255, ...new Uint8Array(14), this.life.roll(6))
  }
  private tokens(of: Stored): { readonly index: number; readonly token: Uint8Array }[] {
    return (of.table?.indexes ?? []).filter(({ kind }) => kind === 'blind').map(({ id, unique }) => ({ index: id, token: this.token(unique ? of.generation : this.life.roll(256)) }))
  }

  private row(): Op[] {
    const { life } = this
    const tables = this.objects().filter(({ table }) => table !== undefined)
    const of = life.pick(tables)
    if (of?.table === undefined) return []
    const keys = this.rowKeys(of.id)
    const fresh = of.table.key === 'blinded' ? this.token(of.generation, life.roll(6) === 0) : encodeKey(Buffer.alloc(0), life.pick([[BigInt(life.roll(9))], ['a', BigInt(life.roll(4))], [1.5], []]))
    const rowKey = keys.length > 0 && life.roll(3) > 0 ? life.pick(keys) : fresh
    const isThere = keys.some((key) => Buffer.compare(key, rowKey) === 0)
    const plain = of.table.plain.map(({ type, notNull }) => valueFor(type, notNull, life))
    const kind = life.roll(12)
    const base = { table: of.id, rowKey, tokens: this.tokens(of), sealed: this.sealed() }
    if (kind === 0) return [{ op: 'delete', table: of.id, rowKey }]
    if (kind === 1) return [{ op: 'reseal', ...base }]
    if (kind === 2) return [{ op: 'rekey', ...base, newKey: this.token(of.generation) }]
    return [{ op: isThere === (kind > 3) ? 'update' : 'insert', ...base, plain }]
  }

  /** What a re-blinding or a forget has left to do, by hand: every row under an older key or epoch, some of them. */
  private upkeep(): Op[] {
    const { life } = this
    const { generation, epoch } = life.meta
    const ops: Op[] = []
    for (const object of this.objects()) {
      if (object.generation < generation) ops.push({ op: 'reblind-object', id: object.id, nameToken: Uint8Array.of(generation & 255, ...this.bytes(15)), sealed: this.sealed() })
      else if (object.epoch < epoch) ops.push({ op: 'reseal-object', id: object.id, sealed: this.sealed() })
    }
    for (const of of this.objects().filter(({ table }) => table !== undefined)) {
      for (const { key, value } of this.state.scan(rowPrefix(of.id), prefixEnd(rowPrefix(of.id)))) {
        const [rowKey, row] = [key.slice(ROW_PREFIX_LENGTH), decodeRow(value)]
        const tokens = this.tokens(of).map((fresh) => {
          const old = row.tokens.find(({ index }) => index === fresh.index)
          const isUnique = of.table?.indexes.some(({ id, unique }) => id === fresh.index && unique) === true
          return isUnique && old !== undefined ? { ...old, token: Uint8Array.of(of.generation & 255, ...old.token.subarray(1)) } : fresh
        })
        const newKey = Uint8Array.of(of.generation & 255, ...rowKey.subarray(1))
        if (of.table?.key === 'blinded' && rowKey[0] !== newKey[0]) ops.push({ op: 'rekey', table: of.id, rowKey, newKey, tokens, sealed: this.sealed() })
        else if (row.epoch < epoch || tokens.some(({ token }, i) => token[0] !== row.tokens[i]?.token[0])) ops.push({ op: 'reseal', table: of.id, rowKey, tokens, sealed: this.sealed() })
      }
    }
    for (const { id, epoch: sealedIn } of storedFiles(this.state)) if (sealedIn < epoch) ops.push({ op: 'file.reseal', id, sealed: this.sealed(525) })
    return life.roll(3) === 0 ? ops.filter(() => life.roll(2) === 0) : ops
  }

  // Catalog

  private catalog(after: number): Op[] {
    const { life } = this
    const { generation, nextObject } = life.meta
    const objects = this.objects()
    const nameToken = Uint8Array.of((life.roll(9) === 0 ? life.meta.firstGeneration : generation) & 255, ...new Uint8Array(14), life.roll(12))
    const sealed = this.sealed()
    const of = life.pick(objects)
    const kind = life.roll(of === undefined ? 2 : 10)
    if (kind < 2 && objects.length < 9) {
      const isTable = of === undefined || life.roll(3) > 0
      const object = isTable
        ? { kind: 'table' as const, parent: undefined, table: randomShape(life, objects.map(({ id }) => id)) }
        : { kind: life.pick(['view', 'trigger', 'index', 'other'] as const), parent: life.roll(4) === 0 ? undefined : of.id, table: undefined }
      return [{ op: 'create', id: nextObject + after, object, nameToken, sealed }]
    }
    if (of === undefined) return []
    if (kind < 7) {
      const { kind: same, parent, table } = of
      const object = { kind: same, parent, table: table && replacedShape(table, life, objects.map(({ id }) => id)) }
      const name = life.roll(2) === 0 ? undefined : life.roll(3) === 0 ? of.nameToken : nameToken
      const rewritten = table !== undefined && life.roll(2) === 0 ? this.rewrite(of, object.table) : []
      return [{ op: 'replace', id: of.id, object, nameToken: name, sealed }, ...rewritten]
    }
    if (kind === 7) return life.roll(2) === 0 ? [{ op: 'drop', id: of.id }] : []
    return [kind === 8 ? { op: 'reseal-object', id: of.id, sealed } : { op: 'reblind-object', id: of.id, nameToken, sealed }]
  }

  /** Every row again, for an index that is added. */
  private rewrite(of: Stored, table: Stored['table']): Op[] {
    const tokens = this.tokens({ ...of, table })
    return this.rowKeys(of.id).map((rowKey) => ({
      op: 'update', table: of.id, rowKey, plain: (table?.plain ?? []).map(({ type, notNull }) => valueFor(type, notNull, this.life)),
      tokens: tokens.map(({ index, token }) => ({ index, token: Uint8Array.of(token[0] as number, ...this.bytes(15)) })), sealed: this.sealed(),
    }))
  }

  // Files

  private file(): Op[] {
    const { life } = this
    const held = [...storedFiles(this.state)]
    const of = life.pick(held)
    if (of === undefined || life.roll(3) === 0) {
      const facts = { length: life.roll(9), root: new Uint8Array(32).fill(life.roll(4)), commitment: new Uint8Array(32).fill(7) }
      return [{ op: 'file.put', ...facts, id: fileIdOf(crypto, life.world.spaceId, facts), sealed: this.sealed(525) }]
    }
    return [life.roll(2) === 0 ? { op: 'file.delete', id: of.id } : { op: 'file.reseal', id: of.id, sealed: this.sealed(525) }]
  }

  // Group

  invite(by: Person, role: Role, base = this.life.world.head): Op[] {
    const { life } = this
    const kind = this.life.size > 12 && life.roll(3) === 0 ? 'device' as const : 'member' as const
    const { op, secret } = buildInvite(this.context(by, base), { kind, role, expiresAt: life.size + life.pick([1, 5, 40, 1000]), ...(kind === 'member' && { uses: life.pick([1, 1, 2]) }) })
    life.tickets.push({ invitation: op.invitation, secret, role: op.role, ...(kind === 'device' && { member: by.member }) })
    return [op]
  }

  join({ invitation, secret, role, member }: Ticket): { readonly op: JoinOp; readonly signer: Signer; readonly agreementSeed: Uint8Array; readonly role: Role } {
    const { life } = this
    const { spaceId, head, random } = life.world
    const [signer, agreementSeed] = [crypto.signer(random(32)), random(32)]
    const named = { ...(member === undefined && life.roll(2) === 0 && { memberName: 'Ann' }), ...(life.roll(2) === 0 && { deviceName: 'laptop' }) }
    return { op: buildJoin({ crypto, random, spaceId, base: head, state: this.state, invitation, secret, signer, agreementSeed, ...named }), signer, agreementSeed, role }
  }

  private group(by: Person, base: Head): readonly Op[] {
    const { life, state } = this
    const ctx = this.context(by, base)
    const member = (): number => life.pick(listMembers(state)).id
    const device = (): number => life.pick(listDevices(state)).id
    const rare = life.roll(6) === 0
    switch (life.roll(14)) {
      case 0: case 1: return this.invite(by, rare ? life.pick(ROLES) : life.pick(['writer', 'reader']), base)
      case 2: return [{ op: 'invite.revoke', invitation: rare ? life.roll(9) : (life.pick(listInvitations(state))?.id ?? 1) }]
      case 3: return [buildRole(state, member(), life.pick(ROLES))]
      case 4: return rare || life.people.length > 6 ? buildRemoval(ctx, life.roll(2) === 0 ? { members: [member()] } : { devices: [device()] }).ops : []
      case 5: return rare && life.people.length > 4 && by.role !== 'owner' ? buildLeave(ctx, life.pick(['member', 'device'])).ops : []
      case 6: case 7: return [buildRotate(ctx, life.pick([{}, {}, { reblind: true }, { dropOldBlinding: true }]))]
      case 8: return [buildRepair(ctx, life.meta.epoch - life.roll(2), life.pick(['link', 'blinding']))]
      case 9: case 10: {
        const before = life.meta.epoch + (rare ? life.roll(FORGET) - 1 : 0)
        return life.roll(2) === 0 ? buildNameReseals(ctx, before) : buildForget(ctx, before).ops
      }
      case 11: return [buildRefresh(ctx).op]
      case 12: return [buildProfile(ctx, life.pick(['member', 'device']), life.pick([by.member, by.device, member()]), life.roll(4) === 0 ? undefined : `n${life.roll(9)}`)]
      default: return rare ? [{ op: 'relay', relay: life.roll(3) === 0 ? undefined : { url: 'wss://relay.example', name: 'relay', publicKey: this.bytes(32) } }] : []
    }
  }

  reads(): ReadClaim[] {
    const { life, state } = this
    const prefix = life.pick([Uint8Array.of(KEY_KIND.object), rowPrefix(1 + life.roll(4)), Uint8Array.of(KEY_KIND.row), Uint8Array.of(KEY_KIND.file), this.bytes(2)])
    return [{ prefix, root: life.roll(3) === 0 ? this.bytes(32) : state.subtreeRoot(prefix) }]
  }
}
