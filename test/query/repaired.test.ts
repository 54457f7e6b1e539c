/**
 * A newcomer whom a lying link kept from the past (attacks.md B27): tables and rows come as soon as the repair is in the log, in a database that was open all the
 * while, though nothing of them has changed.
 */
import { afterEach, expect, test } from 'vitest'
import { buildRotate } from '../../engine/group/build-epoch.js'
import { invite, repairIfNeeded } from '../../engine/space/acts.js'
import { createSpace } from '../../engine/space/open.js'
import type { Space } from '../../engine/space/space.js'
import { memoryStore } from '../../engine/store/memory.js'
import { Database } from '../../query/database.js'
import { optionsOf } from '../space/rim-support.js'
import { Sequencer } from '../space/sequencer.js'

const open: { close(): Promise<void> }[] = []
afterEach(async () => { for (const each of open.splice(0).reverse()) await each.close() })
const database = async (space: Space): Promise<Database> => {
  const db = await Database.open(space)
  open.push(space, db)
  return db
}

test('rows and tables that did not open are there after a repair, also for a live query, without reopening', async () => {
  const ada = await createSpace(await memoryStore().open(), optionsOf('ada'))
  const hers = await database(ada)
  await hers.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'before'); CREATE TABLE old (x); INSERT INTO old VALUES (7)")
  const relay = await Sequencer.attach(ada)
  const join = async (name: string): Promise<Space> => relay.join(memoryStore(), await relay.during(ada, invite(ada, { role: 'writer' })), name)
  const mallory = await join('mallory')
  open.push(mallory)
  await mallory.commitOps((context) => {
    const rotate = buildRotate(context)
    return [{ ...rotate, link: rotate.link.map((byte, i) => (i === 60 ? byte ^ 1 : byte)) }]
  }, 'with-keyring')
  await relay.settle(mallory, ada)
  // The definition of one table is written under the new epoch; its row, and the other table, are of the old one.
  await hers.exec("ALTER TABLE t ADD COLUMN more; INSERT INTO t VALUES (2, 'after', NULL)")
  await relay.settle(ada, mallory)

  const carl = await join('carl')
  const his = await database(carl)
  await relay.settle(ada, mallory, carl)
  const seen: unknown[] = []
  const stop = his.live('SELECT v FROM t ORDER BY id').subscribe(({ rows }) => seen.push(rows.map(({ v }) => v)))
  expect((await his.queryRaw('SELECT v FROM t ORDER BY id')).rows).toEqual([['after']])
  expect(his.quarantine()).toMatchObject([{ version: expect.any(Number), reason: 'no-secret' }])
  await expect(his.queryRaw('SELECT x FROM old')).rejects.toMatchObject({ code: 'sql-error' })

  expect(await relay.during(ada, repairIfNeeded(ada))).toBe(true)
  await relay.settle(ada, mallory, carl)
  expect((await his.queryRaw('SELECT v FROM t ORDER BY id')).rows).toEqual([['before'], ['after']])
  expect((await his.queryRaw('SELECT x FROM old')).rows).toEqual([[7n]])
  expect(his.quarantine()).toEqual([])
  await his.queryRaw('SELECT 1')
  stop()
  expect(seen).toEqual([['after'], ['before', 'after']])
})
