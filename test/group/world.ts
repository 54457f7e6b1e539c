/**
 * A space in memory with its people, through the real state machine and real cryptography: what every test of the group runs in.
 * `submit` signs whatever ops it is given, so that a tampered op is refused for the tampering and for nothing else.
 */
import { expect } from 'vitest'
import { compareBytes, concatBytes, encodeHex } from '../../engine/codec/bytes.js'
import { loadProvider } from '../../engine/crypto/load.js'
import type { Signer } from '../../engine/crypto/provider.js'
import { type BuildContext, buildGenesis, buildInvite, buildJoin, type InviteOptions } from '../../engine/group/builders.js'
import { Keyring } from '../../engine/group/keyring.js'
import type { GenesisOp } from '../../engine/group/ops/genesis.js'
import type { JoinOp } from '../../engine/group/ops/join.js'
import { readGrave } from '../../engine/group/graves.js'
import { readMeta } from '../../engine/group/roster.js'
import { EMPTY_FRONTIER } from '../../engine/log/frontier.js'
import { apply, headOf, type SpaceState } from '../../engine/space/apply.js'
import { type Entry, signEntry, spaceIdOf } from '../../engine/space/entry.js'
import type { Op } from '../../engine/space/ops/index.js'
import type { Head, Verdict } from '../../engine/space/types.js'
import { viewOf } from '../../engine/state/adapt.js'
import { KEY_KIND, pointerKey } from '../../engine/state/keys.js'
import { decodePointer } from '../../engine/state/roster.js'
import { StateTree } from '../../engine/state/tree.js'
import { EMPTY_VERSION } from '../../engine/state/view.js'

/** The quickest at ristretto255; that all providers agree is test/crypto's to show. */
export const crypto = await loadProvider('sodium')
const ZEROS = new Uint8Array(32)

export interface Person {
  readonly device: number
  readonly signer: Signer
  readonly keyring: Keyring
}

export interface InviteTicket {
  readonly invitation: number
  readonly secret: Uint8Array
}

export interface EntryOverrides {
  readonly base?: Head
  readonly epoch?: number
  readonly devicePrev?: Uint8Array
  readonly spaceId?: Uint8Array
}

export class World {
  state: SpaceState
  spaceId: Uint8Array = ZEROS
  /** Every record that was given to the state machine, with the state before it. */
  readonly log: { readonly record: Uint8Array; readonly before: SpaceState }[] = []
  private seed: number

  constructor(seed = 1) {
    this.seed = seed * 1_000_000
    this.state = { tree: viewOf(new StateTree(crypto).at(EMPTY_VERSION)), log: EMPTY_FRONTIER }
  }

  /** Deterministic, different at every call. */
  readonly random = (length: number): Uint8Array => {
    const parts: Uint8Array[] = []
    for (let have = 0; have < length; have += 32) parts.push(crypto.sha256(new TextEncoder().encode(`random ${this.seed++}`)))
    return concatBytes(...parts).subarray(0, length)
  }

  get env() {
    return { crypto, spaceId: this.spaceId }
  }
  get head(): Head {
    return headOf(this.env, this.state)
  }
  get meta() {
    return readMeta(this.state.tree)
  }

  /** Found the space: the first person, owner. `change` tampers with the op before it is signed. */
  static found(seed = 1, change: (op: GenesisOp) => GenesisOp = (op) => op): { readonly world: World; readonly founder: Person; readonly verdict: Verdict } {
    const world = new World(seed)
    const signer = crypto.signer(world.random(32))
    const agreementSeed = world.random(32)
    const op = change(buildGenesis({ crypto, random: world.random, base: world.head, signer, agreementSeed }))
    const record = signEntry(entryOf(world, 0, [op], { spaceId: ZEROS, devicePrev: ZEROS, epoch: 1 }), signer)
    world.spaceId = spaceIdOf(crypto, record)
    const verdict = world.apply(record)
    const keyring = new Keyring(world.env, agreementSeed)
    if (verdict.kind === 'applied') keyring.open(world.state.tree)
    return { world, founder: { device: 1, signer, keyring }, verdict }
  }

  ctx(person: Person): BuildContext {
    const { state, head, random, spaceId } = this
    return { crypto, random, spaceId, base: head, state: state.tree, index: head.size, ...person }
  }

  /** Sign these ops as the person's next entry and apply it. */
  submit(person: Person, ops: readonly Op[], overrides: EntryOverrides = {}): Verdict {
    return this.apply(this.sign(person, ops, overrides))
  }

  sign(person: Person, ops: readonly Op[], overrides: EntryOverrides = {}): Uint8Array {
    return signEntry(entryOf(this, person.device, ops, overrides), person.signer)
  }

  apply(record: Uint8Array): Verdict {
    const { state, verdict } = apply(this.env, this.state, record, { signature: 'check' })
    this.log.push({ record, before: this.state })
    this.state = state
    return verdict
  }

  /** `submit`, for entries that must be applied; everybody given opens what they can. */
  must(person: Person, ops: readonly Op[], ...others: readonly Person[]): void {
    expect(this.submit(person, ops)).toEqual({ kind: 'applied' })
    for (const each of [person, ...others]) each.keyring.open(this.state.tree)
  }

  invite(by: Person, options: Partial<InviteOptions> = {}): InviteTicket {
    const { op, secret } = buildInvite(this.ctx(by), { kind: 'member', role: 'writer', expiresAt: 10_000, ...options })
    this.must(by, [op])
    return { invitation: op.invitation, secret }
  }

  /** The record of somebody joining, not applied yet. */
  joinRecord(ticket: InviteTicket, change: (op: JoinOp) => JoinOp = (op) => op, overrides: EntryOverrides = {}, names = true) {
    const signer = crypto.signer(this.random(32))
    const agreementSeed = this.random(32)
    const { spaceId, head, random } = this
    const op = buildJoin({ crypto, random, spaceId, base: head, state: this.state.tree, ...ticket, signer, agreementSeed, ...(names && { memberName: 'Ada', deviceName: 'laptop' }) })
    const record = signEntry(entryOf(this, 0, [change(op)], { devicePrev: ZEROS, ...overrides }), signer)
    return { record, signer, agreementSeed, op }
  }

  join(ticket: InviteTicket, names = true): Person {
    const { record, signer, agreementSeed } = this.joinRecord(ticket, undefined, {}, names)
    const device = this.meta.nextDevice
    expect(this.apply(record)).toEqual({ kind: 'applied' })
    return this.person(device, signer, agreementSeed)
  }

  person(device: number, signer: Signer, agreementSeed: Uint8Array): Person {
    const keyring = new Keyring(this.env, agreementSeed)
    expect(readGrave(this.state.tree, keyring.agreement)?.id).toBe(device)
    expect(keyring.open(this.state.tree)).toEqual([])
    return { device, signer, keyring }
  }

  /** Invite and join in one go. */
  admit(by: Person, options: Partial<InviteOptions> = {}): Person {
    return this.join(this.invite(by, options), options.kind !== 'device')
  }

  /** Refused, and nothing but the ring of heads and the author's pointer moved. */
  refused(person: Person, ops: readonly Op[], code: string, detail?: string, overrides: EntryOverrides = {}): void {
    this.refusedRecord(this.sign(person, ops, overrides), { kind: 'rejected', code, ...(detail !== undefined && { detail }) }, person.device)
  }

  /** As `refused`, for a record; what fails in a join is ignored. The state before is put back, so that tests can go on from it. */
  refusedRecord(record: Uint8Array, verdict: Record<string, unknown>, device?: number): void {
    const before = this.state
    const content = dump(before, device)
    expect(this.apply(record)).toMatchObject(verdict)
    expect(dump(this.state, device)).toEqual(content)
    this.state = before
  }

  /** A state to go back to. */
  fork(): () => void {
    const { state } = this
    return () => {
      this.state = state
    }
  }
}

function entryOf(world: World, device: number, ops: readonly Op[], overrides: EntryOverrides): Entry {
  return {
    spaceId: world.spaceId,
    base: world.head,
    device,
    devicePrev: device === 0 ? ZEROS : devicePrev(world, device),
    epoch: device === 0 && world.log.length === 0 ? 1 : world.meta.epoch,
    time: 0,
    adopted: false,
    reads: [],
    ops,
    ...overrides,
  }
}

function devicePrev(world: World, device: number): Uint8Array {
  const pointer = world.state.tree.get(pointerKey(device))
  return pointer === undefined ? ZEROS : decodePointer(pointer).hash
}

/** The whole state but for the ring and one device's pointer. */
function dump(state: SpaceState, device?: number): string[] {
  const skip = device === undefined ? undefined : pointerKey(device)
  const rows: string[] = []
  for (const { key, value } of state.tree.scan(new Uint8Array(0))) {
    if (key[0] === KEY_KIND.ring || (skip !== undefined && compareBytes(key, skip) === 0)) continue
    rows.push(`${encodeHex(key)} ${encodeHex(value)}`)
  }
  return rows
}

/** The same bytes with one bit of byte `at` turned. */
export function flip(bytes: Uint8Array, at = 0): Uint8Array {
  const out = bytes.slice()
  out[at] = (out[at] as number) ^ 1
  return out
}
