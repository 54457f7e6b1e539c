/** Under whose note entries are taken when a space changes its relay, and what is held against one that it has left (PROTOCOL.md §9.2). */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { invite } from '../../engine/space/acts.js'
import { audit } from '../../engine/space/audit.js'
import { signEntry } from '../../engine/space/entry.js'
import { createSpace, openSpace } from '../../engine/space/open.js'
import { decodeDeviceSecrets, NAMES } from '../../engine/space/persist.js'
import type { RelayRecord } from '../../engine/space/ops/space.js'
import type { Space } from '../../engine/space/space.js'
import { memoryStore } from '../../engine/store/memory.js'
import type { StoreLocation } from '../../engine/store/store.js'
import { pointerKey } from '../../engine/state/keys.js'
import { decodePointer } from '../../engine/state/roster.js'
import { codeOfLater } from '../outcomes.js'
import { createTable, crypto, optionsOf, put, rows, taskTable } from './rim-support.js'
import { NAME, Sequencer } from './sequencer.js'

const NEW_SEED = new Uint8Array(32).fill(8)
const EVIL_SEED = new Uint8Array(32).fill(9)
const at = (seed: Uint8Array): RelayRecord => ({ url: `memory:${seed[0]}`, name: NAME, publicKey: crypto.signer(seed).publicKey })
const open: Space[] = []
afterEach(async () => { for (const space of open.splice(0)) await space.close() })

let ada: Space
let bob: Space
let home: StoreLocation
let former: Sequencer

beforeEach(async () => {
  ada = await createSpace(await memoryStore().open(), optionsOf('moving ada'))
  open.push(ada)
  await ada.commit(createTable(taskTable(1), 'table:task'), ada.current)
  former = await Sequencer.attach(ada)
  home = memoryStore()
  bob = await former.join(home, await former.during(ada, invite(ada, { role: 'writer' })), 'moving bob')
  open.push(bob)
  await former.settle(ada, bob)
})

/** The owner's entry on top of what is verified, and the new relay that has it. */
async function moved(by = ada): Promise<Sequencer> {
  await by.commitOps(() => [{ op: 'relay', relay: at(NEW_SEED) }], 'leaving')
  return new Sequencer([...former.records, ...by.outbox().map(({ record }) => record)], NEW_SEED)
}

const insert = (space: Space, key: number): Promise<unknown> => space.commit(rows(put('insert', 1, BigInt(key), 0n, 'x')), space.current)
const since = (relay: Sequencer, space: Space): Uint8Array[] => relay.records.slice(space.head.size)

it('the new relay’s note is the first under the entry that moves the space, alone or with what follows', async () => {
  const there = await moved()
  await ada.receive(ada.head.size, since(there, ada), there.note())
  await insert(ada, 1)
  there.take(ada.outbox()[0]?.record as Uint8Array)
  await bob.receive(bob.head.size, since(there, bob), there.note())
  expect([bob.relay, bob.head]).toEqual([at(NEW_SEED), there.head])
  await ada.receive(ada.head.size, since(there, ada), there.note())
  for (const space of [ada, bob]) expect((await audit(space.store, crypto)).problems).toEqual([])
})

it('nobody else’s note is taken, nor the new one’s for what comes before, nor the former one’s for what follows', async () => {
  await insert(ada, 1)
  const before = new Sequencer([...former.records, ada.outbox()[0]?.record as Uint8Array], NEW_SEED)
  const there = await moved()
  const evil = new Sequencer(there.records, EVIL_SEED)
  const head = bob.head
  const first = since(there, bob)
  for (const [records, note] of [[first, evil.note()], [first.slice(0, 1), before.note()]] as const) {
    expect(await codeOfLater(bob.receive(head.size, records, note))).toMatch(/^bad-(checkpoint|signature)$/)
    expect(bob.head).toEqual(head)
  }
  await ada.receive(ada.head.size, since(there, ada), there.note())
  await insert(ada, 2)
  for (const record of [...first, ada.outbox()[0]?.record as Uint8Array]) former.take(record)
  expect(await codeOfLater(bob.receive(head.size, since(former, bob), former.note()))).toBe('bad-checkpoint')
  expect([bob.head, bob.relay?.publicKey]).toEqual([head, at(Sequencer.SEED).publicKey])
})

it('an entry that may not move the space makes nobody’s note count', async () => {
  const { store, env, me } = bob
  const signer = crypto.signer(decodeDeviceSecrets(store.get(NAMES.device) as Uint8Array).signingSeed)
  const devicePrev = decodePointer(bob.currentState.get(pointerKey(me.device)) as Uint8Array).hash
  const forged = signEntry({ spaceId: env.spaceId, base: bob.head, device: me.device, devicePrev, epoch: 1, time: 0, adopted: false, reads: [], ops: [{ op: 'relay', relay: at(EVIL_SEED) }] }, signer)
  const evil = new Sequencer([...former.records, forged], EVIL_SEED)
  expect(evil.verdicts.at(-1)).toMatchObject({ kind: 'rejected', code: 'role' })
  const head = ada.head
  expect(await codeOfLater(ada.receive(head.size, [forged], evil.note()))).toBe('bad-checkpoint')
  expect([ada.head, ada.relay?.publicKey]).toEqual([head, at(Sequencer.SEED).publicKey])
  // The relay that the space is at may show it: an entry that is rejected, like others.
  former.take(forged, true)
  await ada.receive(head.size, [forged], former.note())
  expect(ada.head.size).toBe(head.size + 1)
})

it('who was stopped by evidence against the former relay writes again where it is left, and after a restart', async () => {
  const other = former.copy()
  await insert(ada, 1)
  const mine = ada.outbox()[0]?.record as Uint8Array
  await insert(bob, 2)
  expect(other.take(bob.outbox()[0]?.record as Uint8Array).kind).toBe('applied')
  former.take(mine)
  for (const space of [ada, bob]) {
    await space.receive(space.head.size, since(former, space), former.note())
    expect(await space.observe(other.note())).toBe('fork')
    expect([space.writable, space.evidence.length]).toEqual([false, 1])
  }
  expect(await codeOfLater(insert(ada, 3))).toBe('read-only')
  expect(await codeOfLater(ada.commitOps(() => [{ op: 'relay', relay: at(NEW_SEED) }]))).toBe('read-only')
  expect(await codeOfLater(moved(bob))).toBe('rejected')
  const there = await moved()
  for (const space of [ada, bob]) {
    await space.receive(space.head.size, since(there, space), there.note())
    expect([space.writable, space.evidence, space.relay]).toEqual([true, [], at(NEW_SEED)])
  }
  await insert(ada, 3)
  await bob.close()
  const again = await openSpace(await home.open(), optionsOf('again'))
  open.push(again)
  expect([again.writable, again.evidence]).toEqual([true, []])
  // The same may be said of the new one, and then counts.
  const apart = there.copy()
  there.take(ada.outbox()[0]?.record as Uint8Array)
  expect(apart.take(again.outbox()[0]?.record as Uint8Array).kind, 'what was not in the log yet').toBe('applied')
  await again.receive(again.head.size, since(there, again), there.note())
  expect(await again.observe(apart.note())).toBe('fork')
  expect([again.writable, again.evidence.length]).toEqual([false, 1])
})
