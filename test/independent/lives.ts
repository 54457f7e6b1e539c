/**
 * Seeded lives of a space for two state machines: members write all sorts of entries, a good part of them wrong in their ops, their header or their bytes. What an
 * entry does is in moves.ts; here is who writes it, on what base, and what befalls it on the way.
 */
import { encodeHex } from '../../engine/codec/bytes.js'
import { isSealError } from '../../engine/errors.js'
import { readMember, readMeta } from '../../engine/group/roster.js'
import { Keyring } from '../../engine/group/keyring.js'
import { type ReadClaim } from '../../engine/space/entry.js'
import { type Op } from '../../engine/space/ops/index.js'
import { type Head, type Verdict } from '../../engine/space/types.js'
import { readDevice } from '../../engine/group/roster.js'
import { crypto, World, type Person } from '../space/world.js'
import { Moves, type Ticket } from './moves.js'
import { changed } from './mutation.js'

/** What became of a record: by the engine. */
export interface Step { readonly spaceId: Uint8Array; readonly record: Uint8Array; readonly verdict: Verdict; readonly stateRoot: Uint8Array }

export class Life {
  readonly world: World
  readonly people: Person[]
  readonly tickets: Ticket[] = []
  private readonly late: Uint8Array[] = []
  /** Told of every record that was taken, before the next one is. */
  private readonly told: (step: Step) => void
  private readonly moves: Moves

  constructor(seed: number, told: (step: Step) => void) {
    this.world = new World(seed)
    this.people = [this.world.ada]
    this.told = told
    this.moves = new Moves(this)
    this.tell()
    for (const role of ['admin', 'writer', 'writer', 'reader'] as const) this.must(this.people[0] as Person, this.moves.invite(this.people[0] as Person, role), () => this.join(true))
  }

  roll(n: number): number {
    const [a, b] = this.world.random(2)
    return ((a as number) * 256 + (b as number)) % n
  }
  pick<T>(from: readonly T[]): T {
    return from[this.roll(from.length)] as T
  }
  get size(): number {
    return this.world.records.length
  }
  get meta(): ReturnType<typeof readMeta> {
    return readMeta(this.world.state.tree)
  }

  private must(by: Person, ops: readonly Op[], then: () => void): void {
    const { kind } = this.submit(by, ops)
    if (kind !== 'applied') throw new Error('expected an applied entry')
    then()
  }

  /** The op of somebody who comes by a link; with `land`, they are in. */
  join(land: boolean): void {
    const ticket = this.tickets.at(-1 - this.roll(Math.min(land ? 1 : 3, this.tickets.length)))
    if (ticket === undefined) return
    const join = this.made(() => this.moves.join(ticket))
    if (join === undefined) return
    const { op, signer, agreementSeed, role } = join
    const { nextDevice: device, nextMember } = this.meta
    const person: Person = { name: `p${device}`, signer, keyring: new Keyring(this.world.env, agreementSeed), device, member: ticket.member ?? nextMember, role }
    const wrong = !land && this.roll(3) === 0
    const reads = !land && this.roll(20) === 0 ? [{ prefix: Uint8Array.of(0x20), root: new Uint8Array(32) }] : []
    const zeros = new Uint8Array(32)
    const first = this.roll(8) === 0 && !land ? this.world.random(32) : zeros
    const made = this.made(() => this.world.record(person, [wrong ? (changed(op, this) as Op) : op], { device: 0, devicePrev: first, epoch: this.meta.epoch, base: this.base(), reads }))
    if (made === undefined) return
    // Now and then whoever comes is late.
    if (!land && this.roll(6) === 0) return void this.late.push(made)
    if (this.take(made).kind !== 'applied') return
    this.open(person)
    this.people.push(person)
  }

  submit(by: Person, ops: readonly Op[], more: { readonly base?: Head; readonly epoch?: number; readonly devicePrev?: Uint8Array; readonly reads?: readonly ReadClaim[] } = {}): Verdict {
    return this.take(this.world.record(by, ops, { epoch: this.meta.epoch, ...more }))
  }

  private take(record: Uint8Array): Verdict {
    const { epoch } = this.meta
    const verdict = this.world.land(record)
    this.tell()
    if (verdict.kind === 'applied' && this.meta.epoch !== epoch) for (const person of this.people) this.open(person)
    return verdict
  }

  private tell(): void {
    const { records, verdicts, head, spaceId } = this.world
    this.told({ spaceId, record: records.at(-1) as Uint8Array, verdict: verdicts.at(-1) as Verdict, stateRoot: head.stateRoot })
  }

  private open(person: Person): void {
    this.made(() => person.keyring.open(this.world.state.tree))
  }

  /** What somebody who knows too little can't make is not made. */
  made<T>(make: () => T): T | undefined {
    try {
      return make()
    } catch (error) {
      if (isSealError(error) && error.code !== 'invariant') return undefined
      throw error
    }
  }

  private base(): Head {
    const back = this.roll(4) === 0 ? this.roll(6) : 0
    const head = this.world.headAt(Math.max(0, this.size - back))
    if (this.roll(40) !== 0) return head
    return { ...head, [this.pick(['logRoot', 'stateRoot'])]: this.world.random(32) }
  }

  /** One entry, or nothing where nobody could write what was thought of. */
  step(): void {
    if (this.roll(14) === 0) return this.join(false)
    if (this.roll(30) === 0 && this.late.length > 0) return void this.take(this.late.shift() as Uint8Array)
    const by = this.pick(this.people)
    const role = readMember(this.world.state.tree, by.member)?.role
    if (role !== undefined) by.role = role
    const device = readDevice(this.world.state.tree, by.device)
    if ((device === undefined || device.removedAt !== undefined) && this.roll(8) > 0) return
    const base = this.base()
    const ops = this.made(() => this.moves.next(by, base))
    if (ops === undefined || ops.length === 0) return
    const thought = this.roll(3) === 0 ? ops.with(this.roll(ops.length), changed(ops[this.roll(ops.length)], this) as Op) : ops
    const reads = this.roll(5) === 0 ? this.moves.reads() : []
    const off = this.roll(40)
    const more = {
      base, reads, epoch: this.meta.epoch + (off === 0 ? this.roll(3) - 1 : 0), ...(off === 1 && { devicePrev: this.world.random(32) }),
      ...(off === 2 && { device: this.roll(9) }), ...(off === 3 && { spaceId: this.world.random(32) }), ...(off === 4 && { signer: crypto.signer(this.world.random(32)) }),
    }
    const record = this.made(() => this.world.record(by, thought, more))
    if (record === undefined) return
    this.take(this.damaged(record))
    if (off === 5) this.take(record)
  }

  private damaged(record: Uint8Array): Uint8Array {
    switch (this.roll(60)) {
      case 0: return record.slice(0, this.roll(record.length))
      case 1: return Uint8Array.of(...record, 0)
      case 2: case 3: return record.map((byte, i, { length }) => (i === (length * 7919 + this.size) % length ? byte ^ (1 << this.size % 8) : byte))
      default: return record
    }
  }
}

/** For a message that tells what differed. */
export function described({ record, verdict, stateRoot }: Step): string {
  return `${JSON.stringify(verdict)} ${encodeHex(stateRoot)} ${encodeHex(record.subarray(0, 4000))}`
}
