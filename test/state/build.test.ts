/** Rows loaded in bulk: hashed on the way, from arrays and from anything else that gives rows, the same tree as by edits. And copies that share blocks. */
import { describe, expect, it } from 'vitest'
import { copyPooled } from '../../engine/codec/bytes.js'
import { nodeProvider } from '../../engine/crypto/node.js'
import { ReferenceState } from '../../engine/state/reference.js'
import type { Row } from '../../engine/state/read.js'
import { StateTree } from '../../engine/state/tree.js'
import { bytes, hash, random, rows } from './support.js'

/** Around what a lane of the kernels takes with this provider (247) and without it (480), and far beyond. */
const LENGTHS = [0, 1, 31, 55, 56, 64, 200, 247, 248, 480, 481, 5_000, 40_000]

function contentOf(count: number, seed: number): Row[] {
  const next = random(seed)
  return rows(count, seed).map(({ key }) => ({ key, value: new Uint8Array(LENGTHS[next() % LENGTHS.length]!).fill(next()) }))
}

function* oneBuffer(content: readonly Row[]): Generator<Row> {
  const [key, value] = [new Uint8Array(8), new Uint8Array(50_000)]
  for (const row of content) {
    key.set(row.key)
    value.set(row.value)
    yield { key: row.key.length === 8 ? key.slice() : row.key, value: value.subarray(0, row.value.length) }
  }
}

/** `toEqual` goes byte by byte, and slowly. */
function isSame(found: readonly Row[], expected: readonly Row[]): boolean {
  return found.length === expected.length && found.every(({ key, value }, i) => Buffer.compare(key, expected[i]!.key) === 0 && Buffer.compare(value, expected[i]!.value) === 0)
}

describe('a tree that is built', () => {
  // Batches are of 16, lanes of 4, subtrees hashed on the way of 256 and more.
  it.each([0, 1, 3, 4, 5, 15, 16, 17, 33, 200, 255, 256, 257, 300, 700])('of %i rows is that of edits, with lanes and without', (count) => {
    const content = contentOf(count, count + 1)
    const plain = new StateTree(nodeProvider)
    const expected = plain.root(plain.apply(plain.empty, content))
    if (count <= 300) expect(new ReferenceState(hash, content).root()).toEqual(expected)
    for (const provider of [hash, nodeProvider]) {
      for (const given of [content, new Set(content), oneBuffer(content)]) {
        const tree = new StateTree(provider)
        const version = tree.build(given)
        expect(tree.root(version)).toEqual(expected)
        expect(tree.stats().hashes).toBe(Math.max(0, 3 * count - 1))
        expect(isSame([...tree.scan(version)], content)).toBe(true)
        // It takes edits as any other.
        const next = tree.apply(version, [{ key: bytes(1), value: bytes(2) }])
        expect(tree.root(next)).toEqual(plain.root(plain.apply(plain.empty, [...content, { key: bytes(1), value: bytes(2) }])))
        tree.release(version)
        tree.release(next)
        expect(tree.stats().nodes).toBe(0)
      }
    }
  })

  it('is given up whole when a row late in it is out of order, twice or too long', () => {
    const content = contentOf(600, 9)
    const last = content[599]!
    for (const wrong of [content[0]!, last, { key: last.key.subarray(0, 7), value: bytes() }, { key: new Uint8Array(256).fill(255), value: bytes() }]) {
      const tree = new StateTree(hash)
      expect(() => tree.build([...content, wrong])).toThrow(expect.objectContaining({ name: 'SealError' }))
      expect(tree.stats()).toMatchObject({ nodes: 0, contentBytes: 0, versions: 0 })
      expect(tree.root(tree.build(content))).toEqual(tree.root(tree.apply(tree.empty, content)))
    }
  })

  it('takes rows that make themselves with the same lanes', () => {
    const content = contentOf(300, 4)
    const lazy = content.map(({ key, value }) => ({
      key,
      get value() {
        const other = new StateTree(hash)
        other.root(other.build(content.slice(0, 20)))
        return value
      },
    }))
    const tree = new StateTree(hash)
    expect(tree.root(tree.build(lazy))).toEqual(tree.root(tree.build(content)))
  })
})

describe('what comes out', () => {
  it('is the caller\'s: writing over it changes neither the tree nor what came out before', () => {
    const content = contentOf(400, 2)
    const tree = new StateTree(hash)
    const version = tree.build(content)
    const taken = [...tree.scan(version)]
    const again = content.map(({ key }) => tree.get(version, key)!)
    for (const { key, value } of taken.filter((_, i) => i % 2 === 0)) {
      key.fill(0xee)
      value.fill(0xee)
    }
    expect(isSame(again.map((value, i) => ({ key: content[i]!.key, value })), content)).toBe(true)
    expect(isSame(taken.filter((_, i) => i % 2 === 1), content.filter((_, i) => i % 2 === 1))).toBe(true)
    expect(isSame([...tree.scan(version)], content)).toBe(true)
  })

  it('stays when the version is gone and its memory serves others', () => {
    const content = contentOf(100, 3)
    const tree = new StateTree(hash)
    const version = tree.build(content)
    const taken = [...tree.scan(version)]
    tree.release(version)
    tree.build(contentOf(100, 77))
    expect(isSame(taken, content)).toBe(true)
  })

  it('pooled copies are of the part asked for, of any length', () => {
    const source = Uint8Array.from({ length: 9_000 }, (_, i) => i * 7)
    const copies = Array.from({ length: 300 }, (_, i) => ({ start: (i * 31) % 4_000, length: (i * i) % 5_000 })).map(({ start, length }) => ({ start, length, copy: copyPooled(source, start, start + length) }))
    for (const { start, length, copy } of copies) expect(Buffer.compare(copy, source.slice(start, start + length))).toBe(0)
    expect(Buffer.compare(copyPooled(source), source)).toBe(0)
    expect(copyPooled(source.subarray(5, 105))).toEqual(source.slice(5, 105))
  })
})
