/** A relay that went back, and the people it left on two histories: what the tests of the ceremony start from. */
import { invite } from '../../engine/space/acts.js'
import type { Branch } from '../../engine/space/change-branch.js'
import { createSpace } from '../../engine/space/open.js'
import type { Space } from '../../engine/space/space.js'
import { memoryStore } from '../../engine/store/memory.js'
import type { StoreLocation } from '../../engine/store/store.js'
import { createTable, optionsOf, put, rows, taskTable } from './rim-support.js'
import { Sequencer } from './sequencer.js'

/** What is to be closed after a test. */
export const open: Space[] = []
export async function closeAll(): Promise<void> {
  for (const space of open.splice(0)) await space.close()
}
export const bodies = (space: Space): string[] => [...space.current.rows(1)].map((row) => new TextDecoder().decode((row as { body: Uint8Array }).body)).sort()
export const insert = (space: Space, key: number, body: string): ReturnType<Space['commit']> => space.commit(rows(put('insert', 1, BigInt(key), 0n, body)), space.current)

export interface Crew { readonly relay: Sequencer; readonly at: Map<Space, StoreLocation>; readonly ada: Space; readonly bob: Space; readonly carl: Space; readonly dora: Space }

/** An owner, two writers and another admin, in step. */
export async function crew(seed: string): Promise<Crew> {
  const at = new Map<Space, StoreLocation>()
  const home = memoryStore()
  const ada = await createSpace(await home.open(), optionsOf(`${seed} ada`), { name: 'ada' })
  at.set(ada, home)
  await ada.commit(createTable(taskTable(1), 'table:task'), ada.current)
  const relay = await Sequencer.attach(ada)
  open.push(ada)
  const others: Space[] = []
  for (const [name, role] of [['bob', 'writer'], ['carl', 'writer'], ['dora', 'admin']] as const) {
    const location = memoryStore()
    const space = await relay.join(location, await relay.during(ada, invite(ada, { role })), `${seed} ${name}`)
    at.set(space, location)
    open.push(space)
    others.push(space)
  }
  const [bob, carl, dora] = others as [Space, Space, Space]
  await insert(ada, 1, 'before')
  await relay.settle(ada, bob, carl, dora)
  return { relay, at, ada, bob, carl, dora }
}

/** What the relay has now, for a space that does not know it. */
export async function branchFor(relay: Sequencer, space: Space): Promise<Branch> {
  const from = await space.commonWith(relay.records.length, async (index) => relay.records[index] as Uint8Array)
  return { from, records: relay.records.slice(from), note: relay.note() }
}

/** ada and bob write what the relay loses; carl writes on what it has after that. */
export async function rolledBack(seed: string): Promise<Crew & { readonly now: Sequencer }> {
  const all = await crew(seed)
  const { relay, ada, bob, carl } = all
  const now = relay.copy()
  await insert(ada, 10, 'ada, lost')
  await insert(bob, 20, 'bob, lost')
  await ada.commit(rows(put('update', 1, 1n, 5n, 'changed')), ada.current)
  await relay.settle(ada, bob)
  await insert(ada, 11, 'ada, lost too')
  await relay.settle(ada)
  await insert(carl, 30, 'carl, kept')
  await now.settle(carl)
  return { ...all, now }
}
