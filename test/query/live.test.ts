/** Live queries on a real space: told when the result changes, and only then. */
import { describe, expect, it } from 'vitest'
import { createSpace, memoryStore } from 'sealdb'
import { SealError } from '../../engine/errors.js'
import { type View } from '../../engine/space/types.js'
import { live } from '../../query/live.js'

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5))
async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1_000 && !condition(); i++) await turn()
  expect(condition()).toBe(true)
}

describe('live queries', () => {
  it('tell the present result, then each changed one, and nothing else', async () => {
    await using space = await createSpace({ store: memoryStore() })
    await space.exec('CREATE TABLE task (id INTEGER PRIMARY KEY, done INTEGER NOT NULL DEFAULT 0); CREATE TABLE other (id INTEGER PRIMARY KEY)')
    const seen: unknown[] = []
    const stop = space.live('SELECT count(*) AS open FROM task WHERE done = ?', 0).subscribe(({ rows }) => seen.push(rows[0]))
    await until(() => seen.length === 1)
    await space.sql`INSERT INTO task DEFAULT VALUES`
    await until(() => seen.length === 2)
    await space.sql`INSERT INTO other VALUES (1)`
    await space.sql`UPDATE task SET id = 7` // the result stays the same
    await space.sql`INSERT INTO task (done) VALUES (1)`
    await turn()
    await space.sql`UPDATE task SET done = 1`
    await until(() => seen.length === 3)
    expect(seen).toEqual([{ open: 0 }, { open: 1 }, { open: 0 }])
    stop()
    await space.sql`INSERT INTO task DEFAULT VALUES`
    await turn()
    expect(seen).toHaveLength(3)
  })

  it('can be iterated, and end with what the query throws', async () => {
    await using space = await createSpace({ store: memoryStore() })
    await space.exec('CREATE TABLE t (n INTEGER)')
    const counts: unknown[] = []
    for await (const { rows } of space.live<{ n: number }>('SELECT count(*) AS n FROM t')) {
      counts.push(rows[0]?.n)
      if (counts.length === 3) break
      await space.sql`INSERT INTO t VALUES (1)`
    }
    expect(counts).toEqual([0, 1, 2])
    const errors: unknown[] = []
    space.live('SELECT * FROM t').subscribe(() => undefined, (error) => errors.push(error))
    await turn()
    await space.exec('DROP TABLE t')
    await until(() => errors.length === 1)
    expect(errors[0]).toMatchObject({ code: 'sql-error', message: 'no such table: t' })
  })
})

it('closing ends them: loops go on after it, subscriptions hear nothing more, and none begins', async () => {
  const space = await createSpace({ store: memoryStore() })
  await space.exec('CREATE TABLE t (n INTEGER)')
  const query = space.live('SELECT count(*) AS n FROM t')
  const heard: unknown[] = []
  const loops = Array.from({ length: 12 }, async () => {
    for await (const { rows } of query) heard.push(rows[0])
    return 'ended'
  })
  query.subscribe(({ rows }) => heard.push(rows[0]), (error) => heard.push(error))
  await until(() => heard.length === 13)
  query.subscribe(({ rows }) => heard.push(rows[0]), (error) => heard.push(error)) // in the middle of its first run
  await space.close()
  expect(new Set(await Promise.all(loops))).toEqual(new Set(['ended']))
  await turn()
  expect(heard.filter((each) => each instanceof Error)).toEqual([])
  expect(() => space.live('SELECT 1')).toThrow('This database was closed.')
})

it('what a thin client does not have at hand counts as changed', async () => {
  let runs = 0
  let change = (): void => undefined
  const tableTag = (): Uint8Array => { throw new SealError('out-of-scope', 'not here') }
  const view = { catalogTag: Uint8Array.of(1), learned: 0, tableTag } as unknown as View
  const stop = live({
    run: async () => ({ result: ++runs, columns: ['n'], raw: [[BigInt(runs)]], tables: new Set([1]) }),
    view,
    onChange: (listener) => {
      change = listener
      return () => undefined
    },
    onEnd: () => () => undefined,
  }).subscribe(() => undefined)
  for (const expected of [1, 2, 3]) {
    await new Promise((resolve) => setImmediate(resolve))
    expect(runs).toBe(expected)
    change()
  }
  stop()
})
