import { describe, expect, it } from 'vitest'
import { decodeUtf8 } from '../../engine/codec/bytes.js'
import { readCatalog, readRows } from '../../engine/space/rows.js'
import { insert, remove, table, update, World } from './support.js'

const APPLIED = { kind: 'applied' }

describe('a space from its genesis', () => {
  it('creates a table, inserts, updates and deletes rows, and members read them', () => {
    const world = new World()
    expect(world.commit(world.ada, { catalog: [{ kind: 'create', object: table(1), name: 'table:task' }] })).toEqual(APPLIED)
    expect(world.commit(world.ada, { rows: [insert(1, [1n], [], 'one'), insert(1, [2n], [], 'two')] })).toEqual(APPLIED)
    const bob = world.join('bob', 'writer')
    expect(world.commit(bob, { rows: [update(1, [2n], [], 'zwei'), insert(1, [3n], [], 'drei')] })).toEqual(APPLIED)
    expect(world.commit(world.ada, { rows: [remove(1, [1n])] })).toEqual(APPLIED)
    const rows = [...readRows(world.state.tree, world.sealer(bob), 1)]
    expect(rows.map((row) => ('body' in row ? [decodeUtf8(row.body), row.creator, row.author] : row))).toEqual([['zwei', 1, 2], ['drei', 2, 2]])
    expect(readCatalog(world.state.tree, world.sealer(bob)).objects.map((o) => decodeUtf8(o.sealed))).toEqual(['ddl of 1'])
  })
})
