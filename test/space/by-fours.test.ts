/** Rows that are made and read several at once: what comes out is what one by one comes out, whoever lies among them, and in which order ops stand. */
import { beforeEach, describe, expect, it } from 'vitest'
import { compareBytes, decodeUtf8, encodeUtf8 } from '../../engine/codec/bytes.js'
import { type SqlValue } from '../../engine/codec/value.js'
import { buildRotate } from '../../engine/group/build-epoch.js'
import { buildDraft } from '../../engine/space/build.js'
import { SealError } from '../../engine/errors.js'
import { type PutRowOp } from '../../engine/space/ops/row.js'
import { readRow, readRows } from '../../engine/space/rows.js'
import { RowSealer } from '../../engine/space/seal-row.js'
import { type CatalogObject, type RowChange } from '../../engine/space/types.js'
import { decodeMeta } from '../../engine/state/roster.js'
import { metaKey } from '../../engine/state/keys.js'
import { insert, policy, remove, table, update, World, type Person } from './support.js'

let world: World
let ada: Person
let bob: Person

beforeEach(() => {
  world = new World()
  ada = world.ada
  bob = world.join('bob', 'writer')
})

const create = (...objects: CatalogObject[]): void => world.create(ada, ...objects)
const opsOf = (rows: readonly RowChange[]): readonly PutRowOp[] => buildDraft(world.bench(ada), { catalog: [], rows, reads: [] }).ops as readonly PutRowOp[]
const blind = { id: 1, kind: 'blind' as const, unique: false, columns: [7] }

/** Bodies of `id` read by a scan, each held against its row read alone. */
function scanned(id: number): string[] {
  const sealer = world.sealer(ada)
  return [...readRows(world.state.tree, sealer, id)].map((row) => {
    expect(row).toEqual(readRow(world.state.tree, sealer, id, row.rowKey))
    return 'reason' in row ? `!${row.reason}` : decodeUtf8(row.body)
  })
}

describe('rows that are read in a row', () => {
  it.each([1, 3, 4, 5, 11])('%d of them', (count) => {
    create(table(1, { key: 'blinded' }))
    const names = Array.from({ length: count }, (_, i) => `row ${i} ${'x'.repeat((i * 331) % 2500)}`)
    world.mustCommit(bob, { rows: names.map((name, i) => insert(1, [BigInt(i)], [], name)) })
    expect(scanned(1).sort()).toEqual([...names].sort())
  })

  it('of several devices and epochs, liars among them', () => {
    create(table(1, { key: 'blinded', indexes: [blind] }))
    const rows = (from: number, count: number) => Array.from({ length: count }, (_, i) => insert(1, [BigInt(from + i)], [], `r${from + i}`, [[BigInt(i)]]))
    world.mustCommit(ada, { rows: rows(0, 9) })
    const honest = opsOf(rows(100, 4))
    const sealedAs = ({ rowKey }: PutRowOp, key: SqlValue[], value: SqlValue): Uint8Array =>
      world.sealer(bob).sealRow(1, rowKey, 1, bob.device, world.random(24), { key, blind: [{ index: 1, values: [value] }], body: encodeUtf8('lie') })
    const [a, b, c, d] = honest as [PutRowOp, PutRowOp, PutRowOp, PutRowOp]
    const lies = [{ ...a, sealed: sealedAs(a, [7n], 0n) }, { ...b, sealed: sealedAs(b, ['no such'], 9n) }, { ...c, sealed: c.sealed.map((byte, i) => (i === 80 ? byte ^ 1 : byte)) }, d]
    world.mustLand(world.record(bob, lies))
    world.mustLand(world.record(ada, [buildRotate(world.context(ada))]))
    world.epoch = decodeMeta(world.state.tree.get(metaKey()) as Uint8Array).epoch
    for (const person of [ada, bob]) person.keyring.open(world.state.tree)
    world.mustCommit(bob, { rows: [...rows(200, 6), ...[1n, 4n].map((key) => update(1, [key], [], `new ${key}`, [[5n]]))] })
    const found = scanned(1)
    // `d` was sealed by another device than wrote it.
    expect(found.filter((body) => body.startsWith('!')).sort()).toEqual(['!key-token', '!key-token', '!open-failed', '!open-failed'])
    expect(found.filter((body) => !body.startsWith('!')).sort()).toEqual(['new 1', 'new 4', ...[0, 2, 3, 5, 6, 7, 8, 200, 201, 202, 203, 204, 205].map((n) => `r${n}`)].sort())
  })

  it('of an epoch whose secret is not here', () => {
    create(table(1, { key: 'blinded' }))
    world.mustCommit(ada, { rows: [1n, 2n, 3n].map((key) => insert(1, [key])) })
    const { keyring } = ada
    const without = new RowSealer(world.env, {
      tableKey: () => { throw new SealError('no-secret', 'None of that epoch.') },
      dataSecret: (epoch) => keyring.dataSecret(epoch), blinding: (generation) => keyring.blinding(generation), derived: (_, derive) => derive(),
    })
    expect([...readRows(world.state.tree, without, 1)].map((row) => 'reason' in row && row.reason)).toEqual(['no-secret', 'no-secret', 'no-secret'])
  })
})

describe('ops of a draft', () => {
  const changes = [9n, 2n, 7n, 4n, 1n, 8n].map((key) => insert(1, [key], [], `r${key}`))
  const bodies = (ops: readonly PutRowOp[]): string[] => {
    world.mustLand(world.record(ada, ops))
    return scanned(1)
  }

  it('stand in the order of their keys, table by table as they were written, each with its own content', () => {
    create(table(1, { key: 'blinded' }), table(2))
    const ops = opsOf([...changes, insert(2, [2n]), insert(2, [1n]), remove(1, [3n]), insert(1, [3n])])
    expect(ops.map((op) => op.table)).toEqual([1, 1, 1, 1, 1, 1, 2, 2, 1, 1])
    for (const [from, end] of [[0, 6], [6, 8]] as const) {
      for (let i = from + 1; i < end; i++) expect(compareBytes(ops[i - 1]?.rowKey as Uint8Array, ops[i]?.rowKey as Uint8Array)).toBeLessThan(0)
    }
    expect(bodies(ops.slice(0, 6)).sort()).toEqual(['r1', 'r2', 'r4', 'r7', 'r8', 'r9'])
  })

  it('of a mixed draft go to the rows they name', () => {
    create(table(1, { key: 'blinded', indexes: [blind] }))
    const row = (make: typeof insert, key: bigint) => make(1, [key], [], `${make === insert ? 'r' : 'new '}${key}`, [[key]])
    world.mustCommit(ada, { rows: [1n, 2n, 3n, 4n, 5n, 6n].map((key) => row(insert, key)) })
    world.mustCommit(ada, { rows: [row(update, 5n), remove(1, [1n]), row(insert, 7n), row(update, 2n), remove(1, [6n]), row(insert, 8n), row(update, 3n)] })
    expect(scanned(1).sort()).toEqual(['new 2', 'new 3', 'new 5', 'r4', 'r7', 'r8'])
    for (const key of [2n, 3n, 4n, 5n, 7n, 8n]) expect([...readRows(world.state.tree, world.sealer(ada), 1, { kind: 'index', index: 1, values: [key] })]).toHaveLength(1)
  })

  it('of a table with a policy stay as they were written: it may look at the rows before', () => {
    const order = (ops: readonly PutRowOp[]): number[] => ops.map(({ rowKey }) => changes.findIndex(({ key }) => compareBytes(world.sealer(ada).rowKey(1, { key: 'plain' }, 1, key), rowKey) === 0))
    create(table(1))
    expect(order(opsOf(changes))).toEqual([4, 1, 3, 2, 5, 0])
    const guarded = table(1, { policies: [policy({ command: 'insert', check: { kind: 'constant', value: 1n } })] })
    world.mustCommit(ada, { catalog: [{ kind: 'replace', object: guarded }] })
    expect(order(opsOf(changes))).toEqual([0, 1, 2, 3, 4, 5])
    // In the entry that makes or drops the policy, too.
    for (const object of [table(1), guarded]) {
      const { ops } = buildDraft(world.bench(ada), { catalog: [{ kind: 'replace', object }], rows: changes, reads: [] })
      expect(order(ops.slice(1) as PutRowOp[])).toEqual([0, 1, 2, 3, 4, 5])
    }
  })
})
