/** A space in memory for tests: real crypto, real tree, one log, any number of devices. Every state is compared by root, none is mocked. */
import { encodeHex, encodeUtf8 } from '../../engine/codec/bytes.js'
import { type SqlValue } from '../../engine/codec/value.js'
import { nodeProvider } from '../../engine/crypto/node.js'
import { type Signer } from '../../engine/crypto/provider.js'
import { buildGenesis, buildInvite, buildJoin, type BuildContext } from '../../engine/group/builders.js'
import { Keyring } from '../../engine/group/keyring.js'
import { EMPTY_FRONTIER } from '../../engine/log/frontier.js'
import { apply, headOf, type Applied, type SpaceState } from '../../engine/space/apply.js'
import { buildDraft, buildRecord, type Workbench } from '../../engine/space/build.js'
import { entryHash, spaceIdOf, type ReadClaim } from '../../engine/space/entry.js'
import { type Op } from '../../engine/space/ops/index.js'
import { RowSealer } from '../../engine/space/seal-row.js'
import { type CatalogObject, type Draft, type Head, type Policy, type Role, type RowChange, type TableShape, type Verdict } from '../../engine/space/types.js'
import { viewOf } from '../../engine/state/adapt.js'
import { KEY_KIND, pointerKey } from '../../engine/state/keys.js'
import { decodePointer } from '../../engine/state/roster.js'
import { StateTree } from '../../engine/state/tree.js'

export const crypto = nodeProvider

/** Deterministic bytes: a failing test fails again. */
export function seededRandom(seed: number): (length: number) => Uint8Array {
  let counter = 0
  return (length) => {
    const out = new Uint8Array(length)
    for (let at = 0; at < length; at += 32) {
      out.set(crypto.sha256(encodeUtf8(`${seed}/${counter++}`)).subarray(0, Math.min(32, length - at)), at)
    }
    return out
  }
}

export interface Person {
  readonly name: string
  readonly signer: Signer
  readonly keyring: Keyring
  device: number
  member: number
  role: Role
}

export class World {
  readonly random: (length: number) => Uint8Array
  readonly tree = new StateTree(crypto)
  readonly records: Uint8Array[] = []
  readonly verdicts: Verdict[] = []
  readonly ada: Person
  readonly spaceId: Uint8Array
  state: SpaceState
  /** The state after so many entries. */
  readonly history: SpaceState[] = []

  constructor(seed = 1) {
    this.random = seededRandom(seed)
    this.state = { tree: viewOf(this.tree.at(this.tree.empty)), log: EMPTY_FRONTIER }
    this.history.push(this.state)
    const signer = crypto.signer(this.random(32))
    const agreementSeed = this.random(32)
    const base = headOf({ crypto, spaceId: new Uint8Array(32) }, this.state)
    const op = buildGenesis({ crypto, random: this.random, base, signer, agreementSeed })
    const zeros = new Uint8Array(32)
    const record = buildRecord({ crypto, spaceId: zeros }, { signer, base, device: 0, devicePrev: zeros, epoch: 1, time: 0 }, [op])
    this.spaceId = spaceIdOf(crypto, record)
    this.ada = { name: 'ada', signer, keyring: new Keyring({ crypto, spaceId: this.spaceId }, agreementSeed), device: 1, member: 1, role: 'owner' }
    const verdict = this.land(record)
    if (verdict.kind !== 'applied') throw new Error(`genesis: ${JSON.stringify(verdict)}`)
    this.ada.keyring.open(this.state.tree)
  }

  get env(): { crypto: typeof crypto; spaceId: Uint8Array } {
    return { crypto, spaceId: this.spaceId }
  }

  get head(): Head {
    return headOf(this.env, this.state)
  }

  headAt(size: number): Head {
    return headOf(this.env, this.history[size] as SpaceState)
  }

  /** Append a record and apply it. */
  land(record: Uint8Array): Verdict {
    const applied = this.tryOut(record)
    this.state = applied.state
    this.records.push(record)
    this.verdicts.push(applied.verdict)
    this.history.push(this.state)
    return applied.verdict
  }

  /** What would happen. */
  tryOut(record: Uint8Array, state = this.state): Applied {
    return apply({ crypto, spaceId: this.spaceId ?? spaceIdOf(crypto, record) }, state, record, { signature: 'check' })
  }

  bench(by: Person, state = this.state): Workbench {
    return { env: this.env, state: state.tree, device: by.device, role: by.role, secrets: by.keyring, random: this.random }
  }

  devicePrev(device: number, state = this.state): Uint8Array {
    const bytes = state.tree.get(pointerKey(device))
    return bytes === undefined ? new Uint8Array(32) : decodePointer(bytes).hash
  }

  record(by: Person, ops: readonly Op[], more: { base?: Head; devicePrev?: Uint8Array; epoch?: number; reads?: readonly ReadClaim[]; device?: number; spaceId?: Uint8Array; signer?: Signer } = {}): Uint8Array {
    const env = { crypto, spaceId: more.spaceId ?? this.spaceId }
    return buildRecord(
      env,
      { signer: more.signer ?? by.signer, base: more.base ?? this.head, device: more.device ?? by.device, devicePrev: more.devicePrev ?? this.devicePrev(by.device), epoch: more.epoch ?? this.epoch, time: 0 },
      ops,
      more.reads ?? [],
    )
  }

  epoch = 1

  draftRecord(by: Person, draft: Partial<Draft>, more: { base?: Head; devicePrev?: Uint8Array; state?: SpaceState } = {}): Uint8Array {
    const built = buildDraft(this.bench(by, more.state), { catalog: [], rows: [], reads: [], ...draft })
    return this.record(by, built.ops, { ...more, epoch: built.epoch, reads: built.reads })
  }

  /** Build on the present state, sign, land. */
  commit(by: Person, draft: Partial<Draft>): Verdict {
    return this.land(this.draftRecord(by, draft))
  }

  context(by: Person): BuildContext {
    return { crypto, random: this.random, spaceId: this.spaceId, base: this.head, state: this.state.tree, index: this.state.log.size, device: by.device, signer: by.signer, keyring: by.keyring }
  }

  /** Invite and join; throws unless both are applied. */
  join(name: string, role: Role, inviter = this.ada): Person {
    const { op, secret } = buildInvite(this.context(inviter), { kind: 'member', role, expiresAt: 1_000_000 })
    this.mustLand(this.record(inviter, [op]))
    const signer = crypto.signer(this.random(32))
    const agreementSeed = this.random(32)
    const joinOp = buildJoin({ crypto, random: this.random, spaceId: this.spaceId, base: this.head, state: this.state.tree, invitation: op.invitation, secret, signer, agreementSeed })
    const ids = { device: this.nextId++, member: this.nextId - 1 }
    const person: Person = { name, signer, keyring: new Keyring(this.env, agreementSeed), role, ...ids }
    this.mustLand(this.record(person, [joinOp], { device: 0, devicePrev: new Uint8Array(32) }))
    person.keyring.open(this.state.tree)
    return person
  }

  private nextId = 2

  mustLand(record: Uint8Array): void {
    const verdict = this.land(record)
    if (verdict.kind !== 'applied') throw new Error(`expected applied, got ${JSON.stringify(verdict)}`)
  }

  mustCommit(by: Person, draft: Partial<Draft>): void {
    this.mustLand(this.draftRecord(by, draft))
  }

  /** Objects of the catalog, each under the name `name <id>`. */
  create(by: Person, ...objects: readonly CatalogObject[]): void {
    this.mustCommit(by, { catalog: objects.map((object) => ({ kind: 'create' as const, object, name: nameOf(object) })) })
  }

  sealer(by: Person): RowSealer {
    return new RowSealer(this.env, by.keyring)
  }
}

export const nameOf = ({ id }: Pick<CatalogObject, 'id'>): string => `name ${id}`

/** A table object; `nextObject` starts at 1. */
export function table(id: number, shape: Partial<TableShape> = {}): CatalogObject {
  return { id, kind: 'table', table: { key: 'plain', plain: [], indexes: [], policies: [], ...shape }, sealed: encodeUtf8(`ddl of ${id}`) }
}

export function policy(p: Partial<Policy>): Policy {
  return { name: encodeUtf8('p'), command: 'all', roles: [], ...p }
}

export function insert(tableId: number, key: readonly SqlValue[], plain: readonly SqlValue[] = [], body = 'body', blind: readonly (readonly SqlValue[])[] = []): RowChange {
  return { kind: 'insert', table: tableId, key, row: { plain, blind, body: encodeUtf8(body) } }
}
export function update(tableId: number, key: readonly SqlValue[], plain: readonly SqlValue[] = [], body = 'body', blind: readonly (readonly SqlValue[])[] = []): RowChange {
  return { kind: 'update', table: tableId, key, row: { plain, blind, body: encodeUtf8(body) } }
}
export function remove(tableId: number, key: readonly SqlValue[]): RowChange {
  return { kind: 'delete', table: tableId, key }
}

export function hashOf(record: Uint8Array): Uint8Array {
  return entryHash(crypto, record)
}

/** Every key and value but the ring's, and but the pointer of one device. */
export function dump(state: SpaceState, exceptPointer?: number): string {
  const skip = exceptPointer === undefined ? '' : encodeHex(pointerKey(exceptPointer))
  const lines: string[] = []
  for (const { key, value } of state.tree.scan(Uint8Array.of(0))) {
    const name = encodeHex(key)
    if (key[0] !== KEY_KIND.ring && name !== skip) lines.push(`${name} ${encodeHex(value)}`)
  }
  return lines.join('\n')
}
