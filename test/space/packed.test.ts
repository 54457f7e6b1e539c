/** What is packed for the sake of bulk writes, held against its plain twin: ops of an entry, edits of a run, keys of a draft. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareBytes } from '../../engine/codec/bytes.js'
import { Reader, Writer } from '../../engine/codec/canonical.js'
import { isSealError } from '../../engine/errors.js'
import { MAX_OPS } from '../../engine/limits.js'
import { decodeRecord, encodeEntry } from '../../engine/space/entry.js'
import { KeyList } from '../../engine/space/key-list.js'
import { EncodedOps, OpWriter, readOps, writeOps } from '../../engine/space/ops/encoded.js'
import { type Op, readOp, skipOp, writeOp } from '../../engine/space/ops/index.js'
import { PackedRows } from '../../engine/space/packed-rows.js'
import { decodeContent, encodeEqual } from '../../engine/space/seal-row.js'
import { Overlay } from '../../engine/space/overlay.js'
import { buildDraft, encodeDraft } from '../../engine/space/build.js'
import { viewOf } from '../../engine/state/adapt.js'
import { treeOf } from '../state/support.js'
import { insert, remove, table, World } from './support.js'

const anyBytes = (maxLength: number) => fc.uint8Array({ maxLength })
const anyValue = fc.oneof(fc.constant(null), fc.bigInt({ min: -9n, max: 1n << 40n }), fc.double({ noNaN: true }).map((value) => value + 0), fc.string({ maxLength: 12, unit: 'grapheme' }).filter((text) => text.isWellFormed()), anyBytes(9))
const anyToken = fc.record({ index: fc.nat(40_000), token: fc.uint8Array({ minLength: 16, maxLength: 16 }) })
const anyPut: fc.Arbitrary<Op> = fc.record({
  op: fc.constantFrom('insert' as const, 'update' as const), table: fc.nat(), rowKey: anyBytes(40),
  plain: fc.array(anyValue, { maxLength: 4 }), tokens: fc.array(anyToken, { maxLength: 3 }), sealed: anyBytes(150),
})
const anyOp = fc.oneof({ weight: 4, arbitrary: anyPut }, { weight: 1, arbitrary: fc.record({ op: fc.constant('delete' as const), table: fc.nat(), rowKey: anyBytes(40) }) })

function encoded(ops: readonly Op[]): Uint8Array {
  const w = new Writer()
  writeOps(w, ops)
  return w.finish()
}

describe('ops that are passed over', () => {
  const outcome = (bytes: Uint8Array, read: (r: Reader) => unknown): unknown => {
    const r = new Reader(bytes)
    try {
      read(r)
      return r.offset
    } catch (error) {
      if (!isSealError(error)) throw error
      return error.code
    }
  }

  it('are read to the same end, or refused for the same reason, whatever is done to their bytes', () => {
    const damage = fc.array(fc.record({ at: fc.nat(400), byte: fc.nat(255) }), { maxLength: 3 })
    fc.assert(fc.property(anyPut, damage, fc.option(fc.nat(300)), (op, changes, end) => {
      const w = new Writer()
      writeOp(w, op)
      const bytes = w.finish().slice(0, end ?? undefined)
      for (const { at, byte } of changes) if (at < bytes.length) bytes[at] = byte
      expect(outcome(bytes, skipOp)).toEqual(outcome(bytes, readOp))
    }), { numRuns: 2_000 })
  })

  it('come out as they went in, few or many, written or read', () => {
    fc.assert(fc.property(fc.array(anyOp, { maxLength: 40, size: 'max' }), (ops) => {
      const bytes = encoded(ops)
      const r = new Reader(bytes)
      const read = readOps(r, bytes)
      r.end()
      expect([...read]).toEqual(ops)
      expect(read.length).toBe(ops.length)
      expect(read.at(ops.length)).toBeUndefined()
      const writer = new OpWriter(3)
      for (const op of ops) writer.add(op)
      const w = new Writer()
      writeOps(w, writer.finish())
      expect(w.finish()).toEqual(bytes)
    }), { numRuns: 100 })
  })

  it('one that is malformed makes the entry so, wherever it stands; more than an entry may have are refused', () => {
    const world = new World()
    world.create(world.ada, table(1, { key: 'blinded' }))
    const rows = Array.from({ length: 30 }, (_, i) => insert(1, [BigInt(i)]))
    const record = world.draftRecord(world.ada, { rows })
    const decoded = decodeRecord(record)
    if (decoded.kind !== 'entry') throw new Error(decoded.kind)
    expect(decoded.entry.ops).toBeInstanceOf(EncodedOps)
    expect(encodeEntry(decoded.entry)).toEqual(decoded.signed)
    const ops = [...decoded.entry.ops]
    for (const at of [0, 17, 29]) {
      const bytes = encoded(ops)
      bytes[encoded(ops.slice(0, at)).length] = 0x7f
      expect(() => readOps(new Reader(bytes), bytes)).toThrow(expect.objectContaining({ code: 'bad-encoding' }) as Error)
      const damaged = record.slice()
      damaged.set(bytes, decoded.signed.length - bytes.length)
      expect(decodeRecord(damaged).kind).toBe('malformed')
    }
    const writer = new OpWriter(1)
    const op: Op = { op: 'delete', table: 1, rowKey: new Uint8Array(1) }
    for (let i = 0; i < MAX_OPS; i++) writer.add(op)
    expect(() => { writer.add(op) }).toThrow(expect.objectContaining({ code: 'too-large' }) as Error)
  })

  it('of a draft are those that are built one by one', () => {
    const world = new World()
    world.create(world.ada, table(1, { key: 'blinded' }))
    world.mustCommit(world.ada, { rows: [insert(1, [-1n]), insert(1, [-2n])] })
    const draft = { catalog: [], reads: [], rows: [...Array.from({ length: 300 }, (_, i) => insert(1, [BigInt(i)])), remove(1, [-1n])] }
    const [plain, packed] = [buildDraft(world.bench(world.ada), draft).ops, encodeDraft(world.bench(world.ada), draft).ops]
    const told = (ops: Iterable<Op>) => [...ops].map((op) => ({ ...op, sealed: 'sealed' in op && op.sealed.length }))
    expect(packed).toBeInstanceOf(EncodedOps)
    expect(told(packed)).toEqual(told(plain))
    const rows = Array.from({ length: MAX_OPS + 1 }, () => remove(1, [0n]))
    expect(() => encodeDraft(world.bench(world.ada), { ...draft, rows })).toThrow(expect.objectContaining({ code: 'too-large' }) as Error)
  })
})

describe('edits of a run', () => {
  const anyKey = fc.tuple(fc.constantFrom(0x15, 0x30, 0x31), fc.nat(2), fc.nat(7), fc.nat(7)).map(([kind, id, a, b]) => Uint8Array.of(kind, 0, 0, 0, id, a, b))
  const anyStep = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('put' as const), key: anyKey, value: fc.option(anyBytes(5), { nil: undefined }) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('get' as const), key: anyKey }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('count' as const), key: anyKey }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('prefix' as const), key: anyKey }) },
  )

  it('say what a map of them says, in any order of keys', () => {
    const before = [0, 1, 2].flatMap((id) => [1, 4, 6].map((a) => ({ key: Uint8Array.of(0x30, 0, 0, 0, id, a, 0), value: Uint8Array.of(id, a) })))
    const { tree, version } = treeOf(before)
    fc.assert(fc.property(fc.array(anyStep, { maxLength: 60, size: 'max' }), fc.boolean(), (steps, sorted) => {
      const overlay = new Overlay(viewOf(tree.at(version)))
      const state = new Map(before.map(({ key, value }) => [key.join(), value]))
      const touched = new Set<string>()
      const ordered = sorted ? [...steps].sort((a, b) => compareBytes(a.key, b.key)) : steps
      for (const step of ordered) {
        const name = step.key.join()
        if (step.kind === 'put') {
          overlay.put(step.key, step.value)
          touched.add(name)
          if (step.value === undefined) state.delete(name)
          else state.set(name, step.value)
        } else if (step.kind === 'prefix') {
          overlay.deletePrefix(step.key.subarray(0, 6))
          for (const key of [...state.keys()]) if (key.startsWith(`${step.key.subarray(0, 6).join()},`)) state.delete(key)
        } else if (step.kind === 'count') {
          const [lo, hi] = [step.key.subarray(0, 5), Uint8Array.from(step.key.subarray(0, 5), (byte, i) => (i === 4 ? byte + 1 : byte))]
          expect(overlay.count(lo, hi)).toBe([...state.keys()].filter((key) => key.startsWith(`${lo.join()},`)).length)
        }
        const again = step.key.slice()
        expect(overlay.get(again)).toEqual(state.get(name))
        expect(overlay.touched(again)).toBe(touched.has(name))
      }
      expect([...overlay.finish().scan(new Uint8Array(0))].map(({ key, value }) => [key.join(), value]).sort()).toEqual([...state].sort())
    }), { numRuns: 300 })
  })
})

describe('keys of a draft', () => {
  it('are put in order', () => {
    const anyRowKey = fc.oneof(anyBytes(6), fc.uint8Array({ minLength: 4, maxLength: 7 }).map((key) => key.fill(9, 0, 4)))
    fc.assert(fc.property(fc.array(anyRowKey, { maxLength: 50, size: 'max' }), (keys) => {
      const list = new KeyList(new Uint8Array(8))
      for (const key of keys) list.add(key)
      expect([...list.inOrder()].map((i) => list.at(i))).toEqual([...keys].sort(compareBytes))
      expect([...list.inOrder()].sort((a, b) => a - b)).toEqual([...keys.keys()])
    }))
  })
})

describe('rows of a draft', () => {
  const anyKey = fc.array(anyValue, { minLength: 1, maxLength: 3 })
  const anyRow = fc.record({ kind: fc.constantFrom('insert' as const, 'update' as const, 'delete' as const), table: fc.nat(9), key: anyKey, sealedKey: fc.boolean(), body: anyBytes(90), plain: fc.array(anyValue, { maxLength: 2 }), blind: fc.array(fc.record({ index: fc.nat(99), values: fc.array(anyValue, { maxLength: 2 }) }), { maxLength: 2 }) })

  it('come out as they went in, as often as they are asked for', () => {
    fc.assert(fc.property(fc.array(anyRow, { maxLength: 30, size: 'max' }), fc.boolean(), (given, told) => {
      const rows = new PackedRows(told ? given.length : 0)
      for (const { kind, table: id, key, sealedKey, body, plain, blind } of given) {
        if (kind === 'delete') rows.delete(id, key)
        else {
          rows.put(kind, id, key, sealedKey ? 'blinded' : 'plain', plain, blind).raw(body)
          rows.end()
        }
      }
      expect(rows.length).toBe(given.length)
      for (const [i, { kind, table: id, key, sealedKey, body, plain, blind }] of given.entries()) {
        expect([rows.kind(i), rows.table(i), rows.key(i)]).toEqual([kind, id, key])
        expect(rows.equalKey(i)).toEqual(encodeEqual(key).slice())
        if (kind === 'delete') continue
        expect(rows.beside(i)).toEqual({ plain, blind })
        expect(decodeContent(rows.content(i))).toEqual({ key: sealedKey ? key : [], blind, body })
      }
      rows.giveBack()
      expect(rows.length).toBe(0)
    }), { numRuns: 200 })
  })

  it('that are too many values for a key are refused', () => {
    const rows = new PackedRows()
    expect(() => rows.put('insert', 1, Array.from({ length: 65 }, () => 1n), 'blinded', [], [])).toThrow('a list of at most 64')
  })

  it('are the same ops packed as in a list, in the order of their keys, whatever is long or goes', () => {
    const world = new World()
    world.create(world.ada, table(1, { key: 'blinded' }))
    world.mustCommit(world.ada, { rows: [3n, 5n, 8n].map((key) => insert(1, [key])) })
    const changes = [...[9n, 2n, 7n, 4n, 1n, 6n, 10n, 11n].map((key) => insert(1, [key], [], `r${key}`.repeat(key === 7n || key === 1n ? 900 : 3))), ...[3n, 5n, 8n].map((key) => remove(1, [key]))]
    const { ops } = buildDraft(world.bench(world.ada), { catalog: [], rows: changes, reads: [] })
    const keys = ops.map((op) => (op as { rowKey: Uint8Array }).rowKey)
    expect(keys).toEqual([...keys].sort(compareBytes))
    expect(ops.map(({ op }) => op).filter((op) => op === 'delete')).toHaveLength(3)
  })
})
