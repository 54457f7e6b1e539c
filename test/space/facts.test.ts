/** What one state hands on to the next holds for rows alone: whatever changes it is seen by the very next entry. */
import { describe, expect, it } from 'vitest'
import { buildRemoval } from '../../engine/group/build-epoch.js'
import { insert, policy, table, World, type Person } from './support.js'

let key = 1n
const row = (world: World, by: Person): ReturnType<World['commit']> => world.commit(by, { rows: [insert(1, [key++])] })

function peopled(): { readonly world: World; readonly bob: Person } {
  const world = new World()
  world.create(world.ada, table(1))
  const bob = world.join('bob', 'writer')
  for (const by of [bob, world.ada, bob]) expect(row(world, by)).toEqual({ kind: 'applied' })
  return { world, bob }
}

describe('between two rows', () => {
  it('a role: the next row of its member is refused, and taken when the role is back', () => {
    const { world, bob } = peopled()
    world.mustLand(world.record(world.ada, [{ op: 'member.role', member: bob.member, from: 'writer', to: 'reader' }]))
    expect(row(world, bob)).toEqual({ kind: 'rejected', code: 'role', op: 0, detail: 'writer' })
    world.mustLand(world.record(world.ada, [{ op: 'member.role', member: bob.member, from: 'reader', to: 'writer' }]))
    expect(row(world, bob)).toEqual({ kind: 'applied' })
  })

  it('a removal: the next row of that member is ignored, and the next epoch goes on', () => {
    const { world, bob } = peopled()
    const late = world.draftRecord(bob, { rows: [insert(1, [key++])] })
    world.mustLand(world.record(world.ada, buildRemoval(world.context(world.ada), { members: [bob.member] }).ops))
    expect(world.land(late)).toEqual({ kind: 'ignored', code: 'device' })
    world.ada.keyring.open(world.state.tree)
    expect(row(world, world.ada)).toEqual({ kind: 'applied' })
  })

  it('a table: its new policy holds for the next row', () => {
    const { world, bob } = peopled()
    world.mustCommit(world.ada, { catalog: [{ kind: 'replace', object: table(1, { policies: [policy({ roles: ['owner'], using: { kind: 'constant', value: 1n } })] }) }] })
    expect(row(world, bob)).toMatchObject({ kind: 'rejected', code: 'policy' })
    expect(row(world, world.ada)).toEqual({ kind: 'applied' })
  })

  it('a table: without it there is no row', () => {
    const { world, bob } = peopled()
    const late = world.draftRecord(bob, { rows: [insert(1, [key++])] })
    world.mustCommit(world.ada, { catalog: [{ kind: 'drop', id: 1 }] })
    expect(world.land(late)).toEqual({ kind: 'rejected', code: 'conflict', op: 0, detail: 'table' })
  })
})
