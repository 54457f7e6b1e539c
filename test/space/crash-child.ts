/**
 * The process that crash.test.ts kills: opens (or founds) the space in argv[2] and then writes, rotates, re-blinds, forgets, snapshots and compacts without pause.
 * `ack n` says that transaction n is acknowledged: it put rows 2n and 2n + 1, the row that counts, and one with a blinded key and value. With `people` in argv[4] it has a relay, in this
 * process, which admits a member before each transaction and removes them after it: `removed m`.
 */
import { existsSync } from 'node:fs'
import { forget, invite, reblind, refreshIfNeeded, remove, rotate } from '../../engine/space/acts.js'
import { createSpace, openSpace } from '../../engine/space/open.js'
import { writeStoredSnapshot } from '../../engine/space/snapshot.js'
import type { SpaceView } from '../../engine/space/view.js'
import { fileStore } from '../../engine/store/file/file.js'
import { memoryStore } from '../../engine/store/memory.js'
import { say } from '../child-lines.js'
import { countOf, createTable, optionsOf, put, rows, taskTable } from './rim-support.js'
import { Sequencer } from './sequencer.js'

const [, , path = '', seed = '', people = ''] = process.argv

const founded = existsSync(path)
const store = await fileStore(path, { segmentLength: 40_000 }).open()
const space = founded && store.get('head') ? await openSpace(store, optionsOf(seed)) : await createSpace(store, optionsOf(seed))
if (space.current.catalog.length === 0) await space.commit(createTable(taskTable(1), 'table:task'), space.current)
// One whose keys and values are blinded, to be re-blinded.
if (space.current.catalog.length === 1) {
  const indexes = [{ id: 1, kind: 'blind' as const, unique: true, columns: [7] }]
  await space.commit(createTable({ ...taskTable(2), table: { key: 'blinded', plain: [], indexes, policies: [] } }, 'table:secret'), space.current)
}
space.on('alert', ({ code, message }) => { throw new Error(`${code}: ${message}`) })
// What it had taken and not shown is sent again: it signs as before, so that is the same relay.
const relay = people === '' ? undefined : space.relay ? new Sequencer(await space.records(0, space.head.size), Sequencer.SEED) : await Sequencer.attach(space)
await relay?.settle(space)
for (const { id, removed } of relay ? space.current.members() : []) if (id !== space.me.member && !removed) await relay?.during(space, remove(space, { members: [id] }))
say(`open ${countOf(space.current)}`)

let snapshot: Promise<void> | undefined
for (let turn = Number(seed); ; turn++) {
  const n = countOf(space.current)
  const guest = relay && (await relay.join(memoryStore(), await relay.during(space, invite(space, { role: 'writer' })), `guest ${seed} ${turn}`))
  if (guest) await relay?.deliver(space)
  const secret = { kind: 'insert' as const, table: 2, key: [`key ${n}`], row: { plain: [], blind: [[`value ${n}`]], body: new TextEncoder().encode(`secret ${n}`) } }
  const pair = [put('insert', 1, BigInt(2 * n + 2), BigInt(n), `a ${n}`), put('insert', 1, BigInt(2 * n + 3), BigInt(n), `b ${n}`)]
  await space.commit(rows(put(n === 0 ? 'insert' : 'update', 1, 0n, BigInt(n + 1), 'count'), ...pair, secret), space.current)
  say(`ack ${n + 1}`)
  if (relay && guest) {
    await relay.during(space, remove(space, { members: [guest.me.member] }))
    say(`removed ${guest.me.member}`)
    await guest.close()
    continue
  }
  if (turn % 7 === 0) await rotate(space)
  if (turn % 11 === 0) await reblind(space, { nameOf: ({ id }) => (id === 1 ? 'table:task' : 'table:secret') })
  if (turn % 31 === 0) {
    await forget(space)
    await refreshIfNeeded(space)
  }
  if (turn % 5 === 0) {
    await snapshot
    // Rows are read while commits go on: the view must outlive its being the present one.
    const view = space.verified.retain() as SpaceView
    snapshot = writeStoredSnapshot(store, space.head, view.held, space.log).finally(() => view.release()).then(() => store.compact())
  }
}
