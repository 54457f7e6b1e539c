/** Seeded lives of a space: members write all sorts of entries, many of them wrong. For properties that must hold whatever is written. */
import { concatBytes } from '../../engine/codec/bytes.js'
import { type CatalogObject, type Draft, type PolicyExpression, type RowChange } from '../../engine/space/types.js'
import { isSealError } from '../../engine/errors.js'
import { buildRotate } from '../../engine/group/build-epoch.js'
import { buildReblind } from '../../engine/space/build-steps.js'
import { decodeMeta } from '../../engine/state/roster.js'
import { metaKey } from '../../engine/state/keys.js'
import { insert, policy, remove, table, update, World, type Person } from './world.js'

const OWNER: PolicyExpression = { kind: '=', left: { kind: 'column', of: 'row', column: 1 }, right: { kind: 'member' } }
const LISTED: PolicyExpression = { kind: 'exists', table: 1, prefix: [{ kind: 'member' }] }

/** A table of each kind: plain key, blinded key, indexes of every sort, policies with and without lookups. */
function tables(): CatalogObject[] {
  const plain = [{ id: 1, type: 'integer' as const, notNull: false }, { id: 2, type: 'text' as const, notNull: false }]
  return [
    table(1),
    table(2, { plain, indexes: [{ id: 1, kind: 'plain', unique: true, columns: [2] }], policies: [policy({ command: 'update', using: OWNER })] }),
    table(3, { key: 'blinded', plain, indexes: [{ id: 1, kind: 'blind', unique: true, columns: [7] }, { id: 2, kind: 'blind', unique: false, columns: [8] }] }),
    table(4, { plain, policies: [policy({ command: 'insert', roles: ['writer'], check: LISTED }), policy({ roles: ['owner', 'admin'], using: { kind: 'constant', value: 1n } })] }),
  ]
}

export interface Life {
  readonly world: World
  /** Entries before this were the founding: all applied. */
  readonly founded: number
}

export function live(seed: number, steps: number): Life {
  const world = new World(seed)
  const roll = (n: number): number => {
    const [a, b] = world.random(2)
    return ((a as number) * 256 + (b as number)) % n
  }
  world.mustCommit(world.ada, { catalog: tables().map((object) => ({ kind: 'create' as const, object, name: `table:${object.id}` })) })
  const people = [world.ada, world.join('bob', 'writer'), world.join('carl', 'writer'), world.join('dora', 'admin'), world.join('eve', 'reader')]
  const founded = world.records.length
  const change = (): RowChange => {
    const t = 1 + roll(4)
    const key = [BigInt(roll(12))]
    if (roll(4) === 0) return remove(t, key)
    const plain = t === 1 ? [] : [[1n, 2n, 3n, null][roll(4)] as bigint | null, ['a', 'b', null][roll(3)] as string | null]
    const blind = t === 3 ? [[['u', 'v', null][roll(3)] as string | null], [roll(2) === 0 ? 'x' : 'y']] : []
    return (roll(2) === 0 ? insert : update)(t, key, plain, `body ${roll(1000)}`, blind)
  }
  /** The next step of a re-blinding, by an admin. */
  const reblind = (by: Person): void => {
    const meta = () => decodeMeta(world.state.tree.get(metaKey()) as Uint8Array)
    const alive = meta().generation !== meta().firstGeneration
    const ops = alive ? buildReblind(world.bench(by), (object) => `table:${object.id}`, 4).ops : []
    if (ops.length > 0) return void world.land(world.record(by, ops))
    world.mustLand(world.record(by, [buildRotate(world.context(by), alive ? { dropOldBlinding: true } : { reblind: true })]))
    world.epoch = meta().epoch
    for (const person of people) person.keyring.open(world.state.tree)
  }
  for (let step = 0; step < steps; step++) {
    if (roll(4) === 0) {
      reblind(people[roll(2) * 3] as Person)
      continue
    }
    const by = people[roll(people.length)] as Person
    const back = roll(4) === 0 ? roll(3) : 0
    const base = world.headAt(Math.max(1, world.records.length - back))
    const draft: Partial<Draft> = roll(25) === 0
      ? { catalog: [{ kind: 'replace', object: tables()[roll(4)] as CatalogObject }] }
      : { rows: Array.from({ length: 1 + roll(4) }, change), reads: roll(6) === 0 ? [{ kind: 'table', table: 1 + roll(4) }] : [] }
    let record: Uint8Array
    try {
      record = world.draftRecord(by, draft, { base })
    } catch (error) {
      if (isSealError(error, 'bad-argument') || isSealError(error, 'rejected')) continue
      throw error
    }
    const fate = roll(20)
    if (fate === 0) record[record.length - 1 - roll(64)] = (record[record.length - 1 - roll(64)] as number) ^ 1
    else if (fate === 1) record = concatBytes(record, Uint8Array.of(0))
    world.land(record)
    if (fate === 2) world.land(record)
  }
  return { world, founded }
}
