/** A write that was refused here and lands after all, before it was its turn to be executed again (PROTOCOL.md §9.4): it is not done twice. */
import { afterEach, describe, expect, it } from 'vitest'
import { invite } from '../../engine/space/acts.js'
import { createSpace } from '../../engine/space/open.js'
import type { Space } from '../../engine/space/space.js'
import { memoryStore } from '../../engine/store/memory.js'
import { Database } from '../../query/database.js'
import { optionsOf } from '../space/rim-support.js'
import { Sequencer } from '../space/sequencer.js'

const open: { close(): Promise<void> }[] = []
afterEach(async () => { for (const each of open.splice(0).reverse()) await each.close() })

async function opened(space: Space): Promise<Database> {
  const db = await Database.open(space)
  open.push(space, db)
  return db
}
const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))

const NEXT = 'INSERT INTO task (id, title) SELECT max(id) + 1, \'bob’s\' FROM task'
const WRITES: readonly (readonly [string, (db: Database) => Promise<unknown>])[] = [
  ['a statement', (db) => db.query(NEXT)],
  ['a transaction', (db) => db.transaction((tx) => tx.query(NEXT))],
  ['BEGIN and COMMIT', (db) => db.exec(`BEGIN; ${NEXT}; COMMIT`)],
]

describe('a refused write that lands before it is executed again', () => {
  for (const [what, write] of WRITES) {
    for (const lands of [true, false]) {
      it(`${what}: ${lands ? 'is done once' : 'and one that does not land is executed again'}`, async () => {
        const ada = await createSpace(await memoryStore().open(), optionsOf('ada'), { name: 'ada' })
        const adas = await opened(ada)
        await adas.exec('CREATE TABLE task (id INTEGER PRIMARY KEY, title TEXT); INSERT INTO task VALUES (6, \'first\')')
        const relay = await Sequencer.attach(ada)
        const bob = await relay.join(memoryStore(), await relay.during(ada, invite(ada, { role: 'writer' })), 'bob')
        const bobs = await opened(bob)
        const told: unknown[] = []
        bobs.onLost((lost) => told.push(lost))
        bob.on('alert', (alert) => told.push(alert))
        await relay.settle(ada, bob)

        await adas.exec('INSERT INTO task VALUES (7, \'in the way\')')
        await relay.settle(ada)
        await write(bobs)
        const sent = bob.outbox()[0]?.record as Uint8Array
        // Something else of Bob's runs, and what is refused has to wait for it.
        let go: () => void = () => undefined
        const held = bobs.transaction(() => new Promise<void>((resolve) => { go = resolve }))
        await tick()
        await relay.deliver(bob)
        expect(bob.outbox()).toEqual([])
        expect(bob.store.names('secret/refused/')).toHaveLength(1)
        await adas.exec('DELETE FROM task WHERE id = 7')
        await relay.settle(ada)
        if (lands) expect(relay.take(sent)).toEqual({ kind: 'applied' })
        await relay.deliver(bob)
        go()
        await held
        await bobs.query('SELECT 1') // in the queue after it
        await relay.settle(bob, ada)
        for (const db of [adas, bobs]) expect((await db.query('SELECT id, title FROM task ORDER BY id')).rows).toEqual([{ id: 6, title: 'first' }, { id: 7, title: 'bob’s' }])
        expect([told, bob.store.names('secret/refused/'), bob.store.names('secret/outbox/')]).toEqual([[], [], []])
      })
    }
  }
})
