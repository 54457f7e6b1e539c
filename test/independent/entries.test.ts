/** PROTOCOL.md is enough for entries: what was written from its text alone reads every record of the vectors, comes to the same log roots, and keeps the same bounds. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { encodeCanonical, type Writer } from '../../engine/codec/canonical.js'
import { decodeRecord as decodeTheirs } from '../../engine/space/entry.js'
import { type Op, writeOp } from '../../engine/space/ops/index.js'
import { decodeRecord, leafOf, Log, spaceIdOf, type Verdict } from './entries.mjs'
import { importsOf } from './imports.js'

type Hex = string
interface Life { readonly spaceId: Hex; readonly entries: readonly { readonly record: Hex; readonly verdict: Verdict; readonly logRoot: Hex; readonly stateRoot: Hex }[] }
const lives = JSON.parse(readFileSync(new URL('../vectors/space.json', import.meta.url), 'utf8')) as readonly Life[]
const roots = (JSON.parse(readFileSync(new URL('../vectors/log.json', import.meta.url), 'utf8')) as { readonly entries: readonly { readonly leaf: Hex }[]; readonly roots: readonly { readonly root: Hex }[] })
const hex = (text: Hex): Buffer => Buffer.from(text, 'hex')

it('imports nothing of the engine', () => {
  expect(importsOf('./entries.mjs')).toEqual(['node:crypto', './fields.mjs'])
  expect(importsOf('./fields.mjs')).toEqual([])
})

it('comes to the log roots of the vectors by frontiers', () => {
  const log = new Log()
  expect(roots.roots.map(({ root }, size) => {
    if (size > 0) log.append(hex(roots.entries[size - 1]!.leaf))
    return log.root().toString('hex') === root
  })).toEqual(roots.roots.map(() => true))
})

/** What each says of a record: the names of its ops, or that it is none. */
function bothRead(record: Buffer): { readonly ours: unknown; readonly theirs: unknown } {
  const theirs = decodeTheirs(record)
  let ours: unknown
  try {
    ours = decodeRecord(record).ops.map(({ name }) => name)
  } catch {
    ours = 'refused'
  }
  return { ours, theirs: theirs.kind === 'entry' ? [...theirs.entry.ops].map(({ op }) => op) : 'refused' }
}

it('reads the records of the vectors as the engine reads them', () => {
  for (const { entries, spaceId } of lives) {
    const log = new Log()
    for (const { record, logRoot } of entries) {
      const { ours, theirs } = bothRead(hex(record))
      expect(ours).toEqual(theirs)
      log.append(leafOf(hex(record)))
      expect(log.root().toString('hex')).toBe(logRoot)
    }
    expect(spaceIdOf(hex(entries[0]!.record)).toString('hex')).toBe(spaceId)
  }
})

/** An entry by device 1 with these bytes as its ops. */
function recordOf(count: number, ops: (w: Writer) => void, reads: (w: Writer) => void = (w) => void w.varint(0)): Buffer {
  const zeros = new Uint8Array(32)
  const entry = encodeCanonical(undefined, (w) => {
    w.u8(1).fixed(zeros, 32).varint(0).fixed(zeros, 32).fixed(zeros, 32).varint(1).fixed(zeros, 32).varint(1).varint(0).u8(0)
    reads(w)
    w.varint(count)
    ops(w)
  })
  return Buffer.concat([entry, new Uint8Array(64)])
}

const bytes = (n: number) => (w: Writer): void => { w.varint(n).raw(new Uint8Array(n)) }
const many = (n: number, each: (w: Writer) => void) => (w: Writer): void => { w.varint(n); for (let i = 0; i < n; i++) each(w) }
const op = (tag: number, ...fields: ((w: Writer) => void)[]) => (w: Writer): void => { w.u8(tag); for (const field of fields) field(w) }
const number = (n: number) => (w: Writer): void => { w.varint(n) }
const fixed = (n: number) => (w: Writer): void => { w.raw(new Uint8Array(n)) }
const none = number(0)
const token = (index: number) => (w: Writer): void => { w.varint(index).raw(new Uint8Array(16)) }
const view = (w: Writer): void => { w.u8(1).u8(0).u8(0) }
const table = (plain: number, indexes: number, columns: number, policies: number, index = 1) => (w: Writer): void => {
  w.u8(0).u8(0).u8(1).u8(0)
  many(plain, (x) => void x.varint(1).u8(0).u8(0))(w)
  many(indexes, (x) => { x.varint(index).u8(0).u8(0); many(columns, number(1))(x) })(w)
  many(policies, (x) => void x.u8(0).varint(0).u8(0).u8(0))(w)
}
const policy = (expression: (w: Writer) => void) => (w: Writer): void => {
  w.u8(0).u8(0).u8(1).u8(0).varint(0).varint(0).varint(1).u8(0).varint(0).u8(1)
  expression(w)
  w.u8(0)
}
const nested = (levels: number) => (w: Writer): void => { for (let i = 1; i < levels; i++) w.u8(5); w.u8(2) }
/** A list of `in` with so many nodes in all, a level more for each 256. */
const wide = (nodes: number) => (w: Writer): void => {
  const inner = Math.min(nodes - 2, 256)
  w.u8(18)
  if (nodes - 2 > 256) wide(nodes - 1 - 256)(w)
  else w.u8(2)
  many(inner, (x) => void x.u8(2))(w)
}
const create = (object: (w: Writer) => void) => op(0x08, number(1), object, fixed(16), bytes(77))

/** Each with its bound: at it an entry, one over it none. */
const BOUNDS: readonly (readonly [string, number, (n: number) => Buffer])[] = [
  ['reads', 4096, (n) => recordOf(1, op(0x12, number(1)), many(n, (w) => void w.varint(0).raw(new Uint8Array(32))))],
  ['prefix of a read', 255, (n) => recordOf(1, op(0x12, number(1)), many(1, (w) => { bytes(n)(w); w.raw(new Uint8Array(32)) }))],
  ['ops', 100_000, (n) => recordOf(n, (w) => { for (let i = 0; i < n; i++) op(0x12, number(1))(w) })],
  ['id', 2 ** 32 - 1, (n) => recordOf(1, op(0x12, number(n)))],
  ['row key', 250, (n) => recordOf(1, op(0x03, number(1), bytes(n)))],
  ['plaintext values', 2000, (n) => recordOf(1, op(0x01, number(1), bytes(1), many(n, (w) => void w.u8(0)), none, bytes(77)))],
  ['plaintext value', 2 ** 24, (n) => recordOf(1, op(0x01, number(1), bytes(1), many(1, (w) => { w.u8(4); bytes(n)(w) }), none, bytes(77)))],
  ['tokens', 64, (n) => recordOf(1, op(0x04, number(1), bytes(1), many(n, token(1)), bytes(77)))],
  ['index id', 2 ** 16 - 1, (n) => recordOf(1, op(0x04, number(1), bytes(1), many(1, token(n)), bytes(77)))],
  ['sealed value', 2 ** 24, (n) => recordOf(1, op(0x0b, number(1), bytes(n)))],
  ['plaintext columns', 2000, (n) => recordOf(1, create(table(n, 0, 0, 0)))], ['indexes', 64, (n) => recordOf(1, create(table(0, n, 0, 0)))],
  ['columns of an index', 64, (n) => recordOf(1, create(table(0, 1, n, 0)))], ['policies', 256, (n) => recordOf(1, create(table(0, 0, 0, n)))],
  ['id of an index', 2 ** 16 - 1, (n) => recordOf(1, create(table(0, 1, 0, 0, n)))],
  ['levels', 32, (n) => recordOf(1, create(policy(nested(n))))], ['nodes', 512, (n) => recordOf(1, create(policy(wide(n))))],
  ['values of an in', 256, (n) => recordOf(1, create(policy((w) => { w.u8(18).u8(2); many(n, (x) => void x.u8(2))(w) })))],
  ['prefix of an exists', 64, (n) => recordOf(1, create(policy((w) => { w.u8(19).varint(1).u8(0); many(n, (x) => void x.u8(2))(w); w.u8(0) })))],
  ['constant', 4096, (n) => recordOf(1, create(policy((w) => { w.u8(0).u8(4); bytes(n)(w) })))],
  ['name', 1024, (n) => recordOf(1, op(0x1c, (w) => void w.u8(0), number(1), bytes(n)))],
  ['box', 2 ** 16, (n) => recordOf(1, op(0x19, number(1), (w) => void w.u8(0), bytes(n)))],
  ['link', 2 ** 16, (n) => recordOf(1, op(0x17, number(1), bytes(0), fixed(64), bytes(n), none, bytes(0)))],
  ['delivery', 32 * 4100, (n) => recordOf(1, op(0x17, number(1), bytes(n), fixed(64), bytes(0), none, bytes(0)))],
  ['generations', 2, (n) => recordOf(1, op(0x17, number(1), bytes(0), fixed(64), bytes(0), many(n, (w) => void w.varint(1).raw(new Uint8Array(32))), bytes(0)))],
  ['blinding', 2 ** 16, (n) => recordOf(1, op(0x17, number(1), bytes(0), fixed(64), bytes(0), none, bytes(n)))],
  ['relay url', 2048, (n) => recordOf(1, op(0x0c, (w) => void w.u8(1), bytes(n), bytes(0), fixed(32)))], ['relay name', 255, (n) => recordOf(1, op(0x0c, (w) => void w.u8(1), bytes(0), bytes(n), fixed(32)))],
  ['version', 255, (n) => recordOf(1, op(0x0d, number(n)))],
  ['length of a file', 2 ** 32, (n) => recordOf(1, op(0x30, fixed(32), number(n), fixed(64 + 525)))],
  ['leaves', 65_536, (n) => recordOf(1, op(0x0e, none, many(n, fixed(32)), (w) => void w.u8(0), bytes(0)))], ['evidence', 3 * 2 ** 16, (n) => recordOf(1, op(0x0e, none, none, (w) => void w.u8(0), bytes(n)))],
]

it.each(BOUNDS)('has the engine\'s bound of %s', (_, bound, make) => {
  const [at, over] = [make(bound), make(bound + 1)].map(bothRead)
  expect([at?.theirs === 'refused', over?.theirs]).toEqual([false, 'refused'])
  expect([at?.ours, over?.ours]).toEqual([at?.theirs, 'refused'])
})

it('takes each role, and each change of one, once', () => {
  const roles = (...all: readonly number[]) => recordOf(1, create((w) => { w.u8(0).u8(0).u8(1).u8(0).varint(0).varint(0).varint(1).u8(0); many(all.length, (x) => { x.u8(all[0] as number) })(w); w.u8(0).u8(0) }))
  for (const record of [roles(), roles(3), roles(3, 3), roles(4), recordOf(1, op(0x14, number(1), (w) => void w.u8(1).u8(1))), recordOf(0, () => undefined), recordOf(1, create(view))]) {
    const { ours, theirs } = bothRead(record)
    expect(ours).toEqual(theirs)
  }
  const ops: readonly Op[] = [{ op: 'drop', id: 1 }, { op: 'forget', before: 2 }]
  expect(bothRead(recordOf(2, (w) => { for (const each of ops) writeOp(w, each) })).ours).toEqual(['drop', 'forget'])
})
