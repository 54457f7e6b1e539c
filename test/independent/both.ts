/** The engine and the independent state machine, side by side: what one says of a record the other must say, and come to the same root. */
import { expect } from 'vitest'
import { concatBytes } from '../../engine/codec/bytes.js'
import { readMeta } from '../../engine/group/roster.js'
import { type Op } from '../../engine/space/ops/index.js'
import { type Verdict } from '../../engine/space/types.js'
import { EditBatch } from '../../engine/state/edits.js'
import { World, type Person } from '../space/world.js'
import { Machine } from './state.mjs'

export type More = Parameters<World['record']>[2]

/** As a refusal is named in the lists: `rejected rule shape`. */
export function nameOf(verdict: Verdict): string {
  return verdict.kind === 'applied' ? 'applied' : [verdict.kind, verdict.code, verdict.detail].filter((part) => part !== undefined).join(' ')
}

export class Both {
  readonly world: World
  machine: Machine
  readonly reached: Set<string>

  constructor(seed: number, reached: Set<string>) {
    this.world = new World(seed)
    this.reached = reached
    this.machine = new Machine(Buffer.from(this.world.spaceId))
    this.compare(this.machine, this.world.records[0] as Uint8Array, this.world.verdicts[0] as Verdict, this.world.head.stateRoot)
  }

  /** An owner, a writer, an admin and a reader. */
  people(): { readonly ada: Person; readonly bob: Person; readonly dora: Person; readonly eve: Person } {
    return { ada: this.world.ada, bob: this.join('bob', 'writer'), dora: this.join('dora', 'admin'), eve: this.join('eve', 'reader') }
  }

  private compare(machine: Machine, record: Uint8Array, verdict: Verdict, stateRoot: Uint8Array): void {
    this.reached.add(nameOf(verdict))
    expect([machine.take(Buffer.from(record)), machine.head().stateRoot.toString('hex')]).toEqual([verdict, Buffer.from(stateRoot).toString('hex')])
  }

  /** On the state as it is, which stays. */
  tries(record: Uint8Array, expected: string): void {
    const { verdict, state } = this.world.tryOut(record)
    expect(nameOf(verdict)).toBe(expected)
    this.compare(this.machine.copy(), record, verdict, state.tree.root)
  }

  record(by: Person, ops: readonly Op[], more: More = {}): Uint8Array {
    return this.world.record(by, ops, { epoch: this.meta.epoch, ...more })
  }
  refuses(by: Person, ops: readonly Op[], expected: string, more: More = {}): void {
    this.tries(this.record(by, ops, more), `rejected ${expected}`)
  }
  land(record: Uint8Array, expected: string): void {
    const verdict = this.world.land(record)
    this.compare(this.machine, record, verdict, this.world.head.stateRoot)
    expect(nameOf(verdict)).toBe(expected)
  }
  applies(by: Person, ops: readonly Op[], more: More = {}): void {
    this.land(this.record(by, ops, more), 'applied')
  }

  get meta(): ReturnType<typeof readMeta> {
    return readMeta(this.world.state.tree)
  }

  /** By a link and a join, both applied. */
  join(name: string, role: Person['role'], by = this.world.ada): Person {
    const from = this.world.records.length
    const person = this.world.join(name, role, by)
    this.follow(from)
    return person
  }
  /** What the world has taken by itself. */
  follow(from: number): void {
    const { records, verdicts, history } = this.world
    for (let i = from; i < records.length; i++) this.compare(this.machine, records[i] as Uint8Array, verdicts[i] as Verdict, (history[i + 1] as World['state']).tree.root)
  }

  /** A state that would take too long to come to by entries: these keys beside what there is. */
  plant(rows: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[]): void {
    const { tree, log } = this.world.state
    this.world.state = { tree: tree.apply(EditBatch.of([...rows])), log }
    for (const { key, value } of rows) this.machine.content.set(Buffer.from(key), Buffer.from(value))
  }

  /** No verifier opens it. */
  sealed(length = 80, epoch = this.meta.epoch): Uint8Array {
    return concatBytes(Uint8Array.of(1, 0, 0, epoch >> 8, epoch), this.world.random(length - 5))
  }
  token(n: number, generation = this.meta.generation): Uint8Array {
    return Uint8Array.of(generation, ...new Uint8Array(14), n)
  }
}
