/**
 * What a hostile relay can make of a proof (attacks 1 to 5): rows left out, added, moved, counts that lie, nodes of another kind. Where a forgery
 * can be hashed again it is, and the forged root is the trusted one: then only the property under test stands between it and acceptance.
 */
import { describe, expect, it } from 'vitest'
import { concatBytes, encodeHex } from '../../engine/codec/bytes.js'
import { Writer } from '../../engine/codec/canonical.js'
import { isSealError } from '../../engine/errors.js'
import { prove, verify, type Query } from '../../engine/state/queries.js'
import { openProof } from '../../engine/state/record.js'
import { bytes, hash, plain, rows, treeOf } from './support.js'
import { close, formatProof, hashOf, parseProof, variants, type ProofNode } from './proof-nodes.js'

const content = rows(40)
const { tree, version } = treeOf(content)
const root = tree.root(version)
const range: Query = { kind: 'scan', lo: content[10]!.key, hi: content[20]!.key }

describe('1 · any byte changed', () => {
  it('is refused at every position', () => {
    const queries: Query[] = [range, { kind: 'count', hi: content[30]!.key }]
    const proof = prove(tree, version, queries)
    for (let at = 0; at < proof.length; at++) {
      const changed = proof.slice()
      changed[at]! ^= 1 + (at % 255)
      expect(refusal(() => verify(hash, root, queries, changed))).toMatch(/bad-proof|bad-encoding|too-large/)
    }
  })
})

describe('2 · a range', () => {
  const proof = prove(tree, version, [range])
  const parts = parseProof(proof)!

  it('without one of its rows, or of their values, is refused though it hashes to the root', () => {
    let tried = 0
    for (const forged of variants(parts, (node) => (node.t === 'closed' ? [] : node.t === 'leaf' ? [close(node), { t: 'bare', key: node.key, valueHash: hash.sha256(node.value) }] : [close(node)]))) {
      if (forged.t === 'closed') continue
      expect(hashOf(forged)).toEqual(root)
      expect(refusal(() => verify(hash, root, [range], formatProof(forged)))).toBe('bad-proof')
      tried++
    }
    expect(tried).toBeGreaterThan(25)
  })

  it('narrowed, widened, turned or cut short is refused', () => {
    const others: Query[] = [
      { ...range, lo: content[11]!.key },
      { ...range, hi: content[19]!.key },
      { ...range, lo: content[9]!.key },
      { ...range, hi: content[21]!.key },
      { ...range, limit: 9 },
      { ...range, limit: 10 },
      { ...range, reverse: true, limit: 3 },
    ]
    for (const other of others) {
      expect(refusal(() => verify(hash, root, [other], proof))).toBe('bad-proof')
      expect(refusal(() => verify(hash, root, [range], prove(tree, version, [other])))).toBe('bad-proof')
    }
  })

  it('with rows swapped, doubled, added or replaced does not hash to the root', () => {
    const leaf: ProofNode = { t: 'leaf', key: content[12]!.key, value: bytes(6) }
    const changes = (node: ProofNode): ProofNode[] => {
      if (node.t !== 'inner') return [leaf, { t: 'inner', bit: 63, left: node, right: leaf }, { t: 'inner', bit: 63, left: leaf, right: node }]
      return [leaf, { ...node, left: node.right, right: node.left }, node.left, node.right, { ...node, left: node.right }]
    }
    for (const forged of variants(parts, changes)) expect(refusal(() => verify(hash, root, [range], formatProof(forged)))).toMatch(/bad-proof|bad-encoding|too-large/)
  })
})

describe('3 · a proof', () => {
  it('for other queries, another version or another tree is refused, and so is none', () => {
    const get: Query = { kind: 'get', key: content[3]!.key }
    const older = tree.apply(tree.empty, content.slice(0, 30))
    const cases: (readonly [Uint8Array, readonly Query[]])[] = [
      [prove(tree, version, [get]), [range]],
      [prove(tree, version, [range]), [get]],
      [prove(tree, version, [range, get]), [range]],
      [prove(tree, version, [range]), [range, get]],
      [prove(tree, older, [range]), [range]],
      [prove(tree, tree.empty, [range]), [range]],
      [bytes(1), [get]],
      [bytes(), [get]],
    ]
    for (const [proof, queries] of cases) expect(refusal(() => verify(hash, root, queries, proof))).toMatch(/bad-proof|bad-encoding/)
  })

  it('with nodes opened for nothing is refused though it hashes to the root', () => {
    const get: Query = { kind: 'get', key: content[3]!.key }
    const narrow = prove(tree, version, [get])
    for (const other of content.filter((_, i) => i !== 3)) {
      const wide = prove(tree, version, [get, { kind: 'has', key: other.key }])
      expect(openProof(hash, root, wide).has(other.key)).toBe(true)
      if (encodeHex(wide) !== encodeHex(narrow)) expect(refusal(() => verify(hash, root, [get], wide))).toBe('bad-proof')
    }
    expect(refusal(() => verify(hash, root, [{ kind: 'has', key: content[3]!.key }], narrow))).toBe('bad-proof')
  })
})

describe('4 · absence of a key that is there', () => {
  it('cannot be shown by another leaf, at either end of the key space, in any small tree', () => {
    for (const size of [1, 2, 3, 17]) {
      const few = treeOf(content.slice(0, size))
      const trusted = few.tree.root(few.version)
      for (const { key } of content.slice(0, size)) {
        for (const probe of [bytes(), bytes(255), ...content.map((row) => row.key)]) {
          const proof = prove(few.tree, few.version, [{ kind: 'get', key: probe }])
          const answers = refusalOr(() => verify(hash, trusted, [{ kind: 'get', key }], proof).answers[0])
          if (answers.code === undefined) expect(answers.value).toEqual(few.tree.get(few.version, key))
        }
      }
      expect(refusal(() => verify(hash, trusted, [{ kind: 'get', key: content[0]!.key }], bytes(1)))).toBe('bad-proof')
    }
    const none = tree.root(tree.empty)
    expect(verify(hash, none, [{ kind: 'get', key: bytes(1) }, { kind: 'scan' }], bytes(1)).answers).toEqual([undefined, []])
    expect(refusal(() => verify(hash, none, [{ kind: 'get', key: content[0]!.key }], prove(tree, version, [{ kind: 'get', key: content[0]!.key }])))).toBe('bad-proof')
  })

  it('cannot be shown by following the wrong direction', () => {
    // A tree that hashes as it should, with a leaf where its key does not lead.
    const [a, b] = [{ t: 'leaf', key: bytes(0), value: bytes(1) }, { t: 'leaf', key: bytes(128), value: bytes(2) }] as const
    const wrong: ProofNode[] = [
      { t: 'inner', bit: 0, left: b, right: a },
      { t: 'inner', bit: 1, left: a, right: b },
      { t: 'inner', bit: 7, left: a, right: b },
      { t: 'inner', bit: 8, left: { ...a, key: bytes(0, 0) }, right: { ...b, key: bytes(128, 128) } },
      { t: 'inner', bit: 0, left: a, right: { ...b, key: bytes() } },
      { t: 'inner', bit: 8, left: { ...a, key: bytes(1) }, right: { ...b, key: bytes(1, 128) } },
      { t: 'inner', bit: 0, left: a, right: a },
      { t: 'inner', bit: 0, left: { t: 'inner', bit: 1, left: close(a), right: { ...a, key: bytes(1) } }, right: close(b) },
    ]
    for (const forged of wrong) expect(refusal(() => openProof(hash, hashOf(forged), formatProof(forged)))).toBe('bad-proof')
    const right: ProofNode = { t: 'inner', bit: 0, left: a, right: b }
    expect(plain([...openProof(hash, hashOf(right), formatProof(right)).scan()])).toBe(plain([{ key: a.key, value: a.value }, { key: b.key, value: b.value }]))
  })
})

describe('5 · nodes that are not what they seem', () => {
  const proof = prove(tree, version, [{ kind: 'get', key: content[3]!.key }])
  const parts = parseProof(proof)!
  const leaf = content[3]!

  it('are refused: a leaf as inner node, an inner node as leaf, key and value parted elsewhere', () => {
    const inner = parts.t === 'inner' ? parts : undefined
    const asKey = concatBytes(Uint8Array.of(0, inner!.bit), new Uint8Array(12), hashOf(inner!.left))
    const forgeries: ProofNode[] = [
      { t: 'bare', key: asKey, valueHash: hashOf(inner!.right) },
      ...variants(parts, (node) => node.t !== 'leaf' ? [] : [
        { t: 'leaf', key: leaf.key.slice(0, -1), value: concatBytes(leaf.key.slice(-1), leaf.value) },
        { t: 'leaf', key: concatBytes(leaf.key, leaf.value.slice(0, 1)), value: leaf.value.slice(1) },
        { t: 'bare', key: leaf.key, valueHash: leaf.value.length === 32 ? leaf.value : hash.sha256(bytes()) },
        { t: 'inner', bit: node.key.length * 8 - 1, left: node, right: node },
      ]),
    ]
    for (const forged of forgeries) expect(refusal(() => openProof(hash, root, formatProof(forged)))).toBe('bad-proof')
  })

  it('are refused: counts that lie', () => {
    for (const forged of variants(parts, (node) => (node.t === 'closed' ? [{ ...node, count: node.count + 1 }, { ...node, count: node.count + 2 ** 32 }] : []))) {
      expect(refusal(() => openProof(hash, root, formatProof(forged)))).toBe('bad-proof')
    }
    const closed = { t: 'closed', hash: root } as const
    for (const [left, right] of [[0, 1], [2 ** 48 - 1, 1]] as const) {
      const forged: ProofNode = { t: 'inner', bit: 3, left: { ...closed, count: left }, right: { ...closed, count: right } }
      expect(refusal(() => openProof(hash, hashOf(forged), formatProof(forged)))).toBe('bad-proof')
    }
    const most: ProofNode = { t: 'inner', bit: 3, left: { ...closed, count: 2 ** 48 - 2 }, right: { ...closed, count: 1 } }
    expect(openProof(hash, hashOf(most), formatProof(most)).count()).toBe(2 ** 48 - 1)
  })

  it('are refused: a closed root, bits over 2039, depth bombs', () => {
    expect(refusal(() => openProof(hash, root, formatProof(close(parts))))).toBe('bad-proof')
    const side: ProofNode = { t: 'closed', count: 1, hash: root }
    expect(refusal(() => openProof(hash, root, formatProof({ t: 'inner', bit: 2040, left: side, right: side })))).toMatch(/bad-proof|too-large/)
    const bomb = new Uint8Array(1_000_000).fill(3)
    bomb[0] = 1
    expect(refusal(() => openProof(hash, root, bomb))).toBe('bad-proof')
    let deep: ProofNode = { t: 'inner', bit: 2039, left: side, right: side }
    for (let bit = 2038; bit >= 0; bit--) deep = { t: 'inner', bit, left: deep, right: side }
    expect(openProof(hash, hashOf(deep), formatProof(deep)).count()).toBe(2041)
  })

  it('are refused: lengths beyond the input or the limits, before anything is allocated', () => {
    const claims: ((out: Writer) => Writer)[] = [
      (out) => out.varint(1).varint(0).varint(200),
      (out) => out.varint(1).varint(0).varint(256),
      (out) => out.varint(1).varint(0).bytes(bytes(1)).varint(16 * 1024 * 1024),
      (out) => out.varint(1).varint(0).bytes(bytes(1)).varint(2 ** 40),
      (out) => out.varint(1).varint(1).bytes(bytes(1)).varint(0),
      (out) => out.varint(0).varint(2 ** 47),
      (out) => out.varint(2 ** 40),
      (out) => out.raw(bytes(0x83, 0)),
    ]
    for (const claim of claims) {
      const claimed = claim(new Writer().u8(1)).finish()
      const before = process.memoryUsage().arrayBuffers
      expect(refusal(() => openProof(hash, root, claimed))).toMatch(/bad-encoding|too-large|bad-proof/)
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20)
    }
    expect(refusal(() => openProof(hash, root, new Uint8Array(64 * 1024 * 1024 + 1)))).toBe('too-large')
    expect(refusal(() => openProof(hash, root, bytes(2, ...proof.subarray(1))))).toBe('bad-encoding')
  })

  it('are refused: keys that share more than they say, or grow beyond the limit out of few bytes', () => {
    const key = new Uint8Array(200).fill(1)
    const [a, b] = [concatBytes(key, bytes(0)), concatBytes(key, bytes(1))]
    const whole: ProofNode = { t: 'inner', bit: 1607, left: { t: 'leaf', key: a, value: bytes() }, right: { t: 'leaf', key: b, value: bytes() } }
    expect(openProof(hash, hashOf(whole), formatProof(whole)).count()).toBe(2)
    const spelled = new Writer().u8(1).varint(3 + 1607).varint(1).varint(0).bytes(a).bytes(bytes()).varint(1).varint(0).bytes(b).bytes(bytes()).finish()
    expect(refusal(() => openProof(hash, hashOf(whole), spelled))).toBe('bad-proof')
    // 2^18 leaves of 255 bytes, each in four bytes but the first.
    const bomb = new Writer().u8(1)
    const first = 2040 - 18
    let last: Uint8Array | undefined
    for (let i = 0; i < 2 ** 18; i++) {
      const opened = i === 0 ? 18 : 31 - Math.clz32(i & -i)
      for (let level = 18 - opened; level < 18; level++) bomb.varint(level === 0 ? 3 + first : 3)
      const now = new Uint8Array(255)
      new DataView(now.buffer).setUint32(251, i)
      let shared = 0
      while (last !== undefined && last[shared] === now[shared]) shared++
      bomb.varint(1).varint(shared).bytes(now.subarray(shared)).bytes(bytes())
      last = now
    }
    expect(bomb.length).toBeLessThan(2 ** 21)
    expect(refusal(() => openProof(hash, root, bomb.finish()))).toBe('too-large')
  })
})

function refusal(run: () => unknown): string {
  return refusalOr(run).code ?? 'accepted'
}

function refusalOr<T>(run: () => T): { readonly code?: string; readonly value?: T } {
  try {
    return { value: run() }
  } catch (error) {
    if (isSealError(error) && error.family === 'hostile') return { code: error.code }
    throw error
  }
}
