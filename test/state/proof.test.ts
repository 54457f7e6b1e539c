/** Record and replay: every proof of small trees is accepted, anything else is refused, and what is not covered is never "no". */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeCanonical, encodeCanonical } from '../../engine/codec/canonical.js'
import { encodeHex } from '../../engine/codec/bytes.js'
import { isSealError } from '../../engine/errors.js'
import { answer, prove, readQueries, verify, writeQueries, type Query } from '../../engine/state/queries.js'
import { openProof, replay } from '../../engine/state/record.js'
import { ReferenceState } from '../../engine/state/reference.js'
import type { Row } from '../../engine/state/read.js'
import type { State } from '../../engine/state/view.js'
import { anyBound, anyKey, anyValue, bytes, hash, plain, random, rows, treeOf } from './support.js'
import { formatProof, parseProof } from './proof-nodes.js'

const small = (count: number): Row[] => rows(count, count + 1)

/** Queries around every key, at both ends and beyond. */
function queriesOf(content: readonly Row[], probes: number): Query[] {
  const next = random(content.length)
  const keys: Uint8Array[] = [bytes(), bytes(0, 7), bytes(0, 8), bytes(255)]
  for (let i = 0; i < probes && content.length > 0; i++) {
    const { key } = content[next() % content.length]!
    const near = key.slice()
    near[7]! ^= 1 << next() % 8
    keys.push(key, near, key.slice(0, 1 + (next() % 7)))
  }
  return keys.flatMap((key, i): Query[] => {
    const other = keys[(i + 3) % keys.length]!
    return [
      { kind: 'get', key },
      { kind: 'has', key },
      { kind: 'rank', key },
      { kind: 'subtreeRoot', prefix: key },
      { kind: 'count', lo: key, hi: other },
      { kind: 'count', hi: key },
      { kind: 'scan', lo: key, hi: other },
      { kind: 'scan', lo: key, limit: 2 },
      { kind: 'scan', hi: key, reverse: true, limit: 2 },
      { kind: 'nth', n: i },
    ]
  })
}

describe('every proof of a small tree is accepted', () => {
  it('for each query alone and for all together', () => {
    const sizes = [...Array(12).keys(), 33, 200]
    for (const size of sizes) {
      const content = small(size)
      const { tree, version } = treeOf(content)
      const root = tree.root(version)
      const twin = new ReferenceState(hash, content)
      const queries = queriesOf(content, size < 12 ? 3 : 2)
      for (const list of [...queries.map((query) => [query]), queries, []]) {
        const proof = prove(tree, version, list)
        const reads = verify(hash, root, list, proof)
        expect(plain(reads.answers)).toEqual(plain(list.map((query) => answer(twin, query))))
        expect(formatProof(parseProof(proof))).toEqual(proof)
      }
    }
  })

  it('for keys of any shape', () => {
    const anyRows = fc.uniqueArray(fc.record({ key: anyKey, value: anyValue }), { maxLength: 25, selector: (row) => encodeHex(row.key) })
    fc.assert(
      fc.property(anyRows, fc.array(anyBound, { minLength: 2, maxLength: 3 }), (content, [a, b, c]) => {
        const { tree, version } = treeOf(content)
        const twin = new ReferenceState(hash, content)
        const queries: Query[] = [
          { kind: 'scan', lo: a, hi: b },
          { kind: 'scan', lo: b, hi: c, reverse: true, limit: 1 },
          { kind: 'count', lo: a, hi: c },
          { kind: 'rank', key: b! },
          { kind: 'get', key: a! },
          { kind: 'subtreeRoot', prefix: b! },
          { kind: 'nth', n: 3 },
        ]
        for (const list of [...queries.map((query) => [query]), queries]) {
          const { answers } = verify(hash, tree.root(version), list, prove(tree, version, list))
          expect(plain(answers)).toEqual(plain(list.map((query) => answer(twin, query))))
        }
      }),
      { numRuns: 80 },
    )
  })
})

describe('a changed proof is refused', () => {
  it('whichever byte is changed, dropped or doubled', () => {
    for (const size of [0, 1, 2, 3, 9, 60]) {
      const { tree, version } = treeOf(small(size))
      const root = tree.root(version)
      const all = queriesOf(small(size), 1)
      for (const list of [all.slice(-10), all.slice(0, 3), [all[11]!]]) {
        const proof = prove(tree, version, list)
        const step = size > 9 ? 61 : size > 2 ? 5 : 1
        for (let at = 0; at < proof.length; at += step) {
          for (const mask of size < 3 ? Array.from({ length: 255 }, (_, i) => i + 1) : [1, 2, 128, 255]) {
            const changed = proof.slice()
            changed[at]! ^= mask
            refuses(root, list, changed)
          }
          refuses(root, list, Uint8Array.from([...proof.subarray(0, at), ...proof.subarray(at + 1)]))
          refuses(root, list, Uint8Array.from([...proof.subarray(0, at + 1), ...proof.subarray(at)]))
          refuses(root, list, proof.subarray(0, at))
        }
        refuses(root, list, Uint8Array.from([...proof, 0]))
        refuses(root, list, bytes())
      }
    }
  })

  it('when it is for other queries, another root or an older one', () => {
    const { tree, version } = treeOf(small(50))
    const later = tree.apply(version, [{ key: small(50)[7]!.key, value: bytes(1) }])
    const elsewhere = treeOf(rows(50, 99))
    const queries: Query[] = [{ kind: 'get', key: small(50)[7]!.key }]
    const others: Query[] = [{ kind: 'get', key: small(50)[8]!.key }]
    const proof = prove(tree, version, queries)
    refuses(tree.root(version), others, proof)
    refuses(tree.root(version), [...queries, ...others], proof)
    refuses(tree.root(version), [{ kind: 'has', key: small(50)[7]!.key }], proof)
    refuses(tree.root(version), [], proof)
    refuses(tree.root(later), queries, proof)
    refuses(tree.root(version), queries, prove(tree, later, queries))
    refuses(elsewhere.tree.root(elsewhere.version), queries, proof)
    refuses(tree.root(tree.empty), queries, proof)
    refuses(tree.root(version), queries, prove(tree, tree.empty, queries))
  })
})

describe('a witness', () => {
  const content = small(120)
  const { tree, version } = treeOf(content)
  const root = tree.root(version)

  /** Reads, then edits that depend on them, in two steps: inserts, replacements, deletes that collapse nodes, deletes of nothing. */
  const program = (seed: number) => (state: State): readonly unknown[] => {
    const next = random(seed)
    const out: unknown[] = []
    let now = state
    for (let step = 0; step < 3; step++) {
      const picked = new Map<string, Uint8Array>()
      for (let i = 0; i < 5; i++) {
        const { key } = content[next() % content.length]!
        const near = key.slice()
        near[next() % 8]! ^= 1 << next() % 8
        for (const each of [key, near]) picked.set(encodeHex(each), each)
      }
      const edits = [...picked.values()].map((key) => ({ key, value: next() % 3 === 0 ? Uint8Array.of(next()) : null }))
      out.push([...now.scan({ lo: edits[0]!.key, limit: 2 })], now.get(edits[1]!.key))
      now = now.apply(edits)
      out.push(now.root(), now.count(), now.subtreeRoot(bytes(0, 7)))
    }
    return out
  }

  it('replays reads and edits to the same answers and the same new root', () => {
    for (let seed = 0; seed < 30; seed++) {
      const before = tree.stats()
      const { result, proof } = tree.record(version, program(seed))
      expect(plain(result)).toEqual(plain(program(seed)(new ReferenceState(hash, content))))
      expect(plain(replay(hash, root, proof, program(seed)))).toEqual(plain(result))
      expect(tree.stats().nodes).toBe(before.nodes)
      expect(() => replay(hash, root, proof, program(seed + 1000))).toThrow(expect.objectContaining({ code: 'bad-proof' }))
    }
  })

  it('keeps the sibling of a deleted leaf closed', () => {
    const { tree: two, version: pair } = treeOf([{ key: bytes(0), value: bytes(1) }, { key: bytes(128), value: bytes(2) }, { key: bytes(129), value: bytes(3) }])
    const remove = (state: State) => state.apply([{ key: bytes(0), value: null }])
    const { proof } = two.record(pair, remove)
    expect(proof.length).toBe(1 + 1 + (1 + 1 + 2 + 32) + (1 + 1 + 32))
    const rest = replay(hash, two.root(pair), proof, remove)
    expect(rest.root()).toEqual(two.root(two.apply(pair, [{ key: bytes(0), value: null }])))
    expect(rest.count()).toBe(2)
    expect(() => rest.get(bytes(128))).toThrow(expect.objectContaining({ code: 'out-of-scope' }))
  })

  it('leaves nothing behind when the program fails', () => {
    const before = tree.stats()
    expect(() => tree.record(version, (state) => { state.apply([{ key: bytes(9), value: bytes() }]); throw new Error('stop') })).toThrow('stop')
    expect(tree.stats()).toEqual(before)
  })
})

describe('what a proof does not cover', () => {
  const content = small(80)
  const { tree, version } = treeOf(content)
  const root = tree.root(version)
  const outOfScope = expect.objectContaining({ code: 'out-of-scope' })

  it('is out of scope, never "no"', () => {
    const { key, value } = content[40]!
    const { state } = verify(hash, root, [{ kind: 'get', key }], prove(tree, version, [{ kind: 'get', key }]))
    expect(state.get(key)).toEqual(value)
    expect(state.rank(key)).toBe(40)
    expect(state.count()).toBe(80)
    for (const other of [content[0]!, content[79]!, content[20]!]) {
      expect(() => state.get(other.key)).toThrow(outOfScope)
      expect(() => state.has(other.key)).toThrow(outOfScope)
      expect(() => state.apply([{ key: other.key, value: null }])).toThrow(outOfScope)
    }
    expect(() => [...state.scan()]).toThrow(outOfScope)
    expect(() => state.nth(3)).toThrow(outOfScope)
  })

  it('is out of scope for values of which only the hash is there', () => {
    const { key } = content[3]!
    const { state } = verify(hash, root, [{ kind: 'has', key }], prove(tree, version, [{ kind: 'has', key }]))
    expect(state.has(key)).toBe(true)
    expect(() => state.get(key)).toThrow(outOfScope)
  })

  it('can be opened loosely, and then still only says what it covers', () => {
    const state = openProof(hash, root, prove(tree, version, [{ kind: 'scan', hi: content[9]!.key }]))
    expect([...state.scan({ hi: content[5]!.key })]).toEqual(content.slice(0, 5))
    expect(() => [...state.scan({ hi: content[30]!.key })]).toThrow(outOfScope)
  })
})

describe('queries as bytes', () => {
  it('round-trip, and are bounded', () => {
    const queries = queriesOf(small(9), 2)
    expect(plain(decodeCanonical(encodeCanonical(queries, writeQueries), readQueries).map((query) => [query])))
      .toEqual(plain(queries.map((query) => [query.kind === 'scan' ? { kind: 'scan', lo: query.lo, hi: query.hi, reverse: query.reverse ?? false, limit: query.limit } : query])))
    expect(() => decodeCanonical(bytes(1, 7, 0), readQueries)).toThrow(expect.objectContaining({ code: 'bad-encoding' }))
    const { tree, version } = treeOf([])
    expect(() => prove(tree, version, [{ kind: 'get', key: new Uint8Array(257) }])).toThrow(expect.objectContaining({ code: 'too-large' }))
    expect(() => prove(tree, version, [{ kind: 'nth', n: -1 }])).toThrow(expect.objectContaining({ code: 'bad-argument' }))
    expect(() => prove(tree, version, new Array<Query>(5000).fill({ kind: 'nth', n: 0 }))).toThrow(expect.objectContaining({ code: 'too-large' }))
  })
})

function refuses(root: Uint8Array, queries: readonly Query[], proof: Uint8Array): void {
  try {
    verify(hash, root, queries, proof)
  } catch (error) {
    if (isSealError(error) && error.family === 'hostile') return
    throw error
  }
  throw new Error(`accepted ${encodeHex(proof)}`)
}
