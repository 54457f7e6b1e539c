/** Arrays that are used again: never two at once, and nobody meets what another left in them. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSpace, openSpace, type SealedSpace } from 'sealdb'
import { expect, it } from 'vitest'
import { giveRoom, takeRoom } from '../../engine/codec/room.js'
import { fileStore } from '../../engine/store/file/file.js'
import { decodeUtf8 } from '../../engine/codec/bytes.js'
import { readRows } from '../../engine/space/rows.js'
import { insert, remove, table, World } from '../space/support.js'

it('is handed out to one at a time, long enough, and again once it is given back', () => {
  const [a, b] = [takeRoom(100_000), takeRoom(100_000)]
  expect(a.buffer).not.toBe(b.buffer)
  expect(Math.min(a.length, b.length)).toBeGreaterThanOrEqual(100_000)
  giveRoom(a)
  expect(() => { giveRoom(a) }).toThrow(expect.objectContaining({ code: 'invariant' }) as Error)
  expect(takeRoom(a.length + 1)).not.toBe(a)
  const again = [takeRoom(1_000), takeRoom(90_000), takeRoom(90_000), takeRoom(90_000)]
  expect(again.filter((room) => room === a)).toHaveLength(1)
  expect(new Set([...again, b].map(({ buffer }) => buffer)).size).toBe(5)
  expect(again[0]).toHaveLength(1_000)
})

it('is kept twice, the longest, and none that is short or very long', () => {
  const rooms = [70_000, 3_000_000, 1_000, 5_000_000, 2_000_000].map(takeRoom)
  for (const room of rooms) giveRoom(room)
  const taken = [takeRoom(70_000), takeRoom(70_000), takeRoom(70_000)]
  expect(rooms.map((room) => taken.includes(room))).toEqual([false, true, false, false, true])
})

const body = (i: number, turn: number): string => `${i}/${turn} `.repeat(20 + ((i * 37 + turn * 11) % 60))

it('verdicts on entries of many rows, refused ones between them, are those of one row at a time', () => {
  const [many, single] = [new World(), new World()]
  for (const world of [many, single]) world.create(world.ada, table(1, { key: 'blinded' }))
  const expected: string[] = []
  for (let turn = 0; turn < 4; turn++) {
    const rows = Array.from({ length: 240 - 50 * turn }, (_, i) => insert(1, [BigInt(1000 * turn + i)], [], body(i, turn)))
    many.mustCommit(many.ada, { rows })
    expected.push(...rows.map((_, i) => body(i, turn)))
    // The last op of it meets a row that is there.
    expect(many.commit(many.ada, { rows: [...rows.map((_, i) => insert(1, [BigInt(5000 + i)], [], 'never')), insert(1, [BigInt(1000 * turn)], [], 'never')] })).toMatchObject({ kind: 'rejected', code: 'conflict' })
  }
  for (const [at, text] of expected.entries()) single.mustCommit(single.ada, { rows: [insert(1, [BigInt(at)], [], text)] })
  many.mustCommit(many.ada, { rows: [remove(1, [0n])] })
  expected.shift()
  single.mustCommit(single.ada, { rows: [remove(1, [0n])] })
  const bodies = (world: World): string[] => [...readRows(world.state.tree, world.sealer(world.ada), 1)].map((row) => ('reason' in row ? row.reason : decodeUtf8(row.body))).sort()
  expect(bodies(many)).toEqual([...expected].sort())
  expect(bodies(single)).toEqual(bodies(many))
})

it('spaces that write in turns, to files, find all of it again', async () => {
  const directories = [0, 1].map(() => mkdtempSync(join(tmpdir(), 'sealdb-room-')))
  try {
    const fill = async (space: SealedSpace, turn: number, which: number): Promise<void> => {
      await space.transaction(async (tx) => {
        for (let i = 0; i < 300 + 100 * ((turn + which) % 3); i++) await tx.query('INSERT INTO t VALUES (?, ?)', [1000 * turn + i, body(i, turn + which)])
      })
    }
    const spaces = await Promise.all(directories.map((directory) => createSpace({ store: fileStore(directory), offline: true })))
    for (const space of spaces) await space.query('CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)')
    for (let turn = 0; turn < 4; turn++) await Promise.all(spaces.map((space, which) => fill(space, turn, which)))
    for (const space of spaces) await space.close()
    for (const [which, directory] of directories.entries()) {
      const space = await openSpace({ store: fileStore(directory), offline: true })
      const { rows } = await space.query<{ id: number; text: string }>('SELECT id, text FROM t ORDER BY id')
      const expected = [0, 1, 2, 3].flatMap((turn) => Array.from({ length: 300 + 100 * ((turn + which) % 3) }, (_, i) => ({ id: 1000 * turn + i, text: body(i, turn + which) })))
      expect(rows).toEqual(expected)
      await space.close()
    }
  } finally {
    for (const directory of directories) rmSync(directory, { recursive: true, force: true })
  }
})
