import { describe, expect, test } from 'vitest'
import { Reader, Writer } from '../../engine/codec/canonical.js'
import { appendLeaf, EMPTY_FRONTIER, type Frontier, frontierRoot, peakCount, readFrontier, writeFrontier } from '../../engine/log/frontier.js'
import { EMPTY_LOG_ROOT, verifyConsistency, verifyInclusion } from '../../engine/log/merkle.js'
import { referenceConsistency, referenceInclusion, referenceRoot } from '../../engine/log/reference.js'
import { LogTree } from '../../engine/log/tree.js'
import { crypto, leavesOf } from './crypto.js'
import { codeOf } from '../outcomes.js'

const COUNT = 64
const leaves = leavesOf(COUNT + 1)
const roots = leaves.map((_, size) => referenceRoot(crypto, leaves.slice(0, size)))

function treeOf(count: number, from?: Frontier): LogTree {
  const tree = new LogTree(crypto, from)
  for (let i = tree.size; i < count; i++) tree.append(leaves[i] as Uint8Array)
  return tree
}

function frontierOf(count: number): Frontier {
  let frontier = EMPTY_FRONTIER
  for (let i = 0; i < count; i++) frontier = appendLeaf(crypto, frontier, leaves[i] as Uint8Array)
  return frontier
}

/** A string: comparing 200,000 proofs with toEqual would take a minute. */
function flat(proof: readonly Uint8Array[]): string {
  return proof.map((hash) => String.fromCharCode(...hash)).join()
}

function encode(frontier: Frontier): Uint8Array {
  const writer = new Writer()
  writeFrontier(writer, frontier)
  return writer.finish()
}

describe('every log of up to 64 leaves', () => {
  const tree = treeOf(COUNT)

  test('tree = frontier = reference, roots and proofs, at every earlier size', () => {
    expect(tree.root(0)).toEqual(EMPTY_LOG_ROOT)
    for (let size = 1; size <= COUNT; size++) {
      expect(tree.root(size)).toEqual(roots[size])
      expect(frontierRoot(crypto, frontierOf(size))).toEqual(roots[size])
      expect(tree.frontier(size)).toEqual(frontierOf(size))
      for (let i = 0; i < size; i++) {
        if (flat(tree.inclusionProof(i, size)) !== flat(referenceInclusion(crypto, i, leaves.slice(0, size)))) expect.fail(`inclusion ${i} ${size}`)
        if (flat(tree.consistencyProof(i + 1, size)) !== flat(referenceConsistency(crypto, i + 1, leaves.slice(0, size)))) expect.fail(`consistency ${i + 1} ${size}`)
      }
    }
  })

  test('a tree that begins at any frontier answers all from there on, and says so about the rest', () => {
    const table = (answer: (size: number, i: number) => readonly Uint8Array[]): string[][] =>
      roots.map((_, size) => leaves.slice(0, size).map((_, i) => (size <= COUNT ? flat(answer(size, i)) : '')))
    const inclusion = table((size, i) => tree.inclusionProof(i, size))
    const consistency = table((size, i) => tree.consistencyProof(i + 1, size))
    for (let start = 1; start <= COUNT; start++) {
      const late = treeOf(COUNT, frontierOf(start))
      expect(late.start).toBe(start)
      for (let size = start; size <= COUNT; size++) {
        expect(late.root(size)).toEqual(roots[size])
        expect(late.frontier(size)).toEqual(tree.frontier(size))
        for (let i = start; i < size; i++) if (flat(late.inclusionProof(i, size)) !== inclusion[size]?.[i]) expect.fail(`inclusion ${start} ${i} ${size}`)
        for (let m = start; m <= size; m++) if (flat(late.consistencyProof(m, size)) !== consistency[size]?.[m - 1]) expect.fail(`consistency ${start} ${m} ${size}`)
      }
      expect(codeOf(() => late.root(start - 1))).toBe('out-of-scope')
      if (start > 1) expect(codeOf(() => late.consistencyProof(start - 1, COUNT))).toBe('out-of-scope')
      if (start > 1) expect(codeOf(() => late.leaf(0))).toBe('out-of-scope')
      for (let i = 0; i < start; i++) {
        // Some proofs of earlier leaves need nothing unknown; whatever is answered must be right.
        if (codeOf(() => late.inclusionProof(i, COUNT)) === 'no error') expect(late.inclusionProof(i, COUNT)).toEqual(tree.inclusionProof(i, COUNT))
        else expect(codeOf(() => late.inclusionProof(i, COUNT))).toBe('out-of-scope')
      }
    }
  })

  test('truncating and growing another way gives what was never truncated', () => {
    for (let cut = 0; cut <= COUNT; cut++) {
      const other = treeOf(COUNT)
      other.truncate(cut)
      expect(other.size).toBe(cut)
      expect(other.root()).toEqual(cut === 0 ? EMPTY_LOG_ROOT : roots[cut])
      for (let i = cut; i < COUNT; i++) other.append(leaves[COUNT - i] as Uint8Array)
      const expected = [...leaves.slice(0, cut), ...leaves.slice(1, COUNT - cut + 1).reverse()]
      expect(other.root()).toEqual(referenceRoot(crypto, expected))
      expect(other.leaf(COUNT - 1)).toEqual(expected[COUNT - 1])
    }
    const late = treeOf(COUNT, frontierOf(13))
    late.truncate(13)
    expect(late.frontier()).toEqual(frontierOf(13))
    expect(codeOf(() => late.truncate(12))).toBe('bad-argument')
  })
})

test('a log over several pages proves across their borders', () => {
  const tree = new LogTree(crypto)
  let frontier = EMPTY_FRONTIER
  const all = leavesOf(5000)
  for (const leaf of all) {
    tree.append(leaf)
    frontier = appendLeaf(crypto, frontier, leaf)
  }
  expect(tree.root()).toEqual(frontierRoot(crypto, frontier))
  for (const size of [1023, 1024, 1025, 2048, 4097, 5000]) {
    const root = tree.root(size)
    for (const index of [0, 1, 511, 1022, 1023, 1024, 2047, 4096, 4999].filter((i) => i < size)) {
      verifyInclusion(crypto, { index, size, leaf: all[index] as Uint8Array, proof: tree.inclusionProof(index, size), root })
      verifyConsistency(crypto, { size1: index + 1, root1: tree.root(index + 1), size2: size, root2: root, proof: tree.consistencyProof(index + 1, size) })
    }
  }
})

test('appending costs one hash on average', () => {
  let hashes = 0
  const counting = { ...crypto, sha256Into: (...args: Parameters<typeof crypto.sha256Into>) => void (hashes++, crypto.sha256Into(...args)) }
  const tree = new LogTree(counting)
  for (const leaf of leavesOf(1024)) tree.append(leaf)
  expect(hashes).toBe(1023)
  hashes = 0
  tree.inclusionProof(500, 1000)
  tree.consistencyProof(700, 1000)
  expect(hashes).toBeLessThanOrEqual(2 * 10)
})

describe('wrong arguments', () => {
  const tree = treeOf(5)
  test.each([-1, 0.5, NaN, Infinity, 6, 2 ** 48, 2 ** 53])('%s is no size of this log', (size) => {
    expect(codeOf(() => tree.root(size))).toBe('bad-argument')
    expect(codeOf(() => tree.frontier(size))).toBe('bad-argument')
    expect(codeOf(() => tree.inclusionProof(0, size))).toBe('bad-argument')
    expect(codeOf(() => tree.inclusionProof(size, 5))).toBe('bad-argument')
    expect(codeOf(() => tree.consistencyProof(size, 5))).toBe('bad-argument')
    expect(codeOf(() => tree.consistencyProof(1, size))).toBe('bad-argument')
    expect(codeOf(() => tree.truncate(size))).toBe('bad-argument')
    expect(codeOf(() => tree.leaf(size))).toBe('bad-argument')
  })
  test('others', () => {
    expect(codeOf(() => tree.inclusionProof(5, 5))).toBe('bad-argument')
    expect(codeOf(() => tree.inclusionProof(0, 0))).toBe('bad-argument')
    expect(codeOf(() => tree.consistencyProof(0, 5))).toBe('bad-argument')
    expect(codeOf(() => tree.consistencyProof(4, 3))).toBe('bad-argument')
    expect(codeOf(() => tree.append(new Uint8Array(31)))).toBe('bad-argument')
    expect(codeOf(() => new LogTree(crypto, { size: 3, peaks: [leaves[0] as Uint8Array] }))).toBe('bad-argument')
    expect(codeOf(() => new LogTree(crypto, { size: 1, peaks: [new Uint8Array(33)] }))).toBe('bad-argument')
    expect(codeOf(() => appendLeaf(crypto, EMPTY_FRONTIER, new Uint8Array(33)))).toBe('bad-argument')
    expect(codeOf(() => appendLeaf(crypto, { size: 2 ** 48 - 1, peaks: leaves.slice(0, 48) }, leaves[0] as Uint8Array))).toBe('too-large')
    expect(codeOf(() => new LogTree(crypto, { size: 2 ** 48 - 1, peaks: leaves.slice(0, 48) }).append(leaves[0] as Uint8Array))).toBe('too-large')
    expect(tree.root()).toEqual(roots[5])
  })
})

describe('a frontier as bytes', () => {
  test('round-trips, old values stay valid', () => {
    const kept: Frontier[] = []
    for (let size = 0; size <= COUNT; size++) {
      const frontier = frontierOf(size)
      kept.push(frontier)
      const bytes = encode(frontier)
      const reader = new Reader(bytes)
      expect(readFrontier(reader)).toEqual(frontier)
      reader.end()
      for (let cut = 0; cut < bytes.length; cut++) expect(codeOf(() => readFrontier(new Reader(bytes, 0, cut)))).toBe('bad-encoding')
    }
    expect(appendLeaf(crypto, kept[7] as Frontier, leaves[7] as Uint8Array)).toEqual(kept[8])
    expect(frontierRoot(crypto, kept[7] as Frontier)).toEqual(roots[7])
    expect(peakCount(2 ** 48 - 1)).toBe(48)
    expect(codeOf(() => encode({ size: 3, peaks: [] }))).toBe('bad-value')
    expect(codeOf(() => encode({ size: 1, peaks: [new Uint8Array(31)] }))).toBe('bad-value')
    expect(codeOf(() => readFrontier(new Reader(new Writer().varint(2 ** 48 - 1).finish())))).toBe('bad-encoding')
  })
})
