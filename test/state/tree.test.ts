/** The tree against its slow twin, and what it promises of versions and memory. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeHex } from '../../engine/codec/bytes.js'
import { ReferenceState } from '../../engine/state/reference.js'
import type { Edit } from '../../engine/state/edits.js'
import { prove, verify } from '../../engine/state/queries.js'
import { StateTree } from '../../engine/state/tree.js'
import type { StateReader } from '../../engine/state/view.js'
import { anyBound, anyKey, anyValue, bytes, hash, plain, random, rows, treeOf } from './support.js'

const anyBatch = fc.uniqueArray(fc.record({ key: anyKey, value: fc.option(anyValue, { freq: 3 }) }), { maxLength: 30, selector: (edit) => encodeHex(edit.key) })

describe('the tree equals its slow twin', () => {
  it('in every read, after any batches', () => {
    fc.assert(
      fc.property(fc.array(anyBatch, { minLength: 1, maxLength: 4 }), fc.array(anyBound, { minLength: 2, maxLength: 4 }), (batches, bounds) => {
        const tree = new StateTree(hash)
        const history = [{ version: tree.empty, twin: new ReferenceState(hash) }]
        for (const batch of batches) {
          const last = history[history.length - 1]!
          history.push({ version: tree.apply(last.version, batch), twin: last.twin.apply(batch) })
        }
        for (const state of history) {
          const view = tree.at(state.version)
          const both = (read: (from: StateReader) => unknown) => expect(plain(read(view))).toEqual(plain(read(state.twin)))
          both((from) => from.root())
          both((from) => [...from.scan()])
          for (const n of [0, 1, 7, view.count()]) both((from) => from.nth(n))
          for (const bound of [...bounds, ...state.twin.rows.slice(0, 2).map((row) => row.key)]) {
            both((from) => [from.get(bound), from.has(bound), from.rank(bound), from.subtreeRoot(bound)])
            for (const other of [bounds[0]!, bounds[1]!, undefined]) {
              for (const range of [{ lo: bound, hi: other }, { lo: other, hi: bound }]) {
                both((from) => from.count(range))
                both((from) => [...from.scan(range)])
                both((from) => [...from.scan({ ...range, reverse: true, limit: 2 })])
                both((from) => [...from.scan({ ...range, limit: 3 })])
                expect(plain([...tree.diff(history[1]!.version, state.version, range)])).toEqual(plain(history[1]!.twin.changesTo(state.twin, range)))
              }
            }
          }
          for (const other of history) expect(plain([...tree.diff(other.version, state.version)])).toEqual(plain(other.twin.changesTo(state.twin)))
        }
        for (const state of history) tree.release(state.version)
        expect(tree.stats()).toMatchObject({ versions: 0, nodes: 0, contentBytes: 0 })
      }),
      { numRuns: 40 },
    )
  })

  it('whatever the order and the batches that led to it', () => {
    const content = rows(300, 3)
    const expected = encodeHex(new ReferenceState(hash, content).root())
    const next = random(5)
    for (const size of [1, 7, 300]) {
      const shuffled = content.map((row) => ({ row, at: next() })).sort((a, b) => a.at - b.at).map(({ row }) => row)
      const { tree } = treeOf([])
      let version = tree.apply(tree.empty, rows(50, 9))
      for (let i = 0; i < shuffled.length; i += size) version = tree.apply(version, shuffled.slice(i, i + size))
      const kept = new Set(content.map((row) => encodeHex(row.key)))
      version = tree.apply(version, rows(50, 9).filter((row) => !kept.has(encodeHex(row.key))).map(({ key }) => ({ key, value: null })))
      expect(encodeHex(tree.root(version))).toBe(expected)
      expect(encodeHex(tree.root(tree.build(content)))).toBe(expected)
    }
  })

  it('in small complete trees of last-bit neighbours', () => {
    const all = [...Array(16).keys()].map((i) => ({ key: bytes(0, i), value: bytes(i) }))
    const { tree } = treeOf([])
    for (let set = 0; set < 2 ** 16; set += 37) {
      const content = all.filter((_, i) => (set >> i) & 1)
      const version = tree.build(content)
      if (set % 11 === 0) expect(tree.root(version)).toEqual(new ReferenceState(hash, content).root())
      expect([...tree.scan(version)]).toEqual(content)
      tree.release(version)
    }
    expect(tree.stats().nodes).toBe(0)
  })
})

describe('roots', () => {
  it('are pinned', () => {
    const tree = new StateTree(hash)
    expect(encodeHex(tree.root(tree.empty))).toBe('f299791cddd3d6664f6670842812ef6053eb6501bd6282a476bbbf3ee91e750c')
    const one = tree.apply(tree.empty, [{ key: bytes(), value: bytes() }])
    const golden = tree.build(rows(100))
    expect([encodeHex(tree.root(one)), encodeHex(tree.root(golden))]).toMatchInlineSnapshot(`
      [
        "944edfdb2196c1a06587de562678845f7c1325f34481736523c3fb673c353437",
        "e1ed81e80e61170b1635527caffdfd7aae32734a507b9c0f13d34dee1913a4cb",
      ]
    `)
  })

  it('of a prefix do not change with what lies elsewhere', () => {
    const { tree, version } = treeOf([...rows(50, 1, 7), ...rows(50, 2, 8)])
    const changed = tree.apply(version, [...rows(5, 3, 8), ...rows(5, 4, 9)])
    expect(tree.subtreeRoot(changed, bytes(0, 7))).toEqual(tree.subtreeRoot(version, bytes(0, 7)))
    expect(tree.subtreeRoot(changed, bytes(0, 8))).not.toEqual(tree.subtreeRoot(version, bytes(0, 8)))
    expect(tree.subtreeRoot(version, bytes(0, 9))).toEqual(tree.root(tree.empty))
    expect(tree.subtreeRoot(version, bytes(0, 7))).toEqual(tree.root(tree.build(rows(50, 1, 7))))
  })
})

describe('edits are refused, with nothing changed,', () => {
  const content = [{ key: bytes(1, 2, 0), value: bytes(1) }, { key: bytes(1, 3, 0), value: bytes(2) }]
  const cases: readonly (readonly [string, string, readonly Edit[]])[] = [
    ['when a key comes twice', 'bad-argument', [{ key: bytes(9), value: bytes() }, { key: bytes(8), value: null }, { key: bytes(9), value: bytes() }]],
    ['when a key begins one of the tree', 'bad-argument', [{ key: bytes(1, 2), value: bytes() }, { key: bytes(0), value: bytes() }]],
    ['when a key of the tree begins one', 'bad-argument', [{ key: bytes(1, 3, 0, 0), value: bytes() }, { key: bytes(1, 2, 0), value: bytes() }]],
    ['when one key begins another', 'bad-argument', [{ key: bytes(5, 0), value: bytes() }, { key: bytes(5), value: bytes() }]],
    ['when the empty key is not alone', 'bad-argument', [{ key: bytes(), value: bytes() }]],
    ['when a key is too long', 'key-too-long', [{ key: new Uint8Array(256), value: bytes() }]],
    ['when a value is too long', 'bad-argument', [{ key: bytes(7), value: new Uint8Array(16 * 1024 * 1024 + 1) }]],
  ]
  it.each(cases)('%s', (_, code, edits) => {
    const { tree, version } = treeOf(content)
    const before = tree.stats()
    expect(() => tree.apply(version, edits)).toThrow(expect.objectContaining({ code }))
    expect(tree.stats()).toEqual(before)
    expect([...tree.scan(version)]).toEqual(content)
  })

  it('and so are rows to build from that are out of order', () => {
    const tree = new StateTree(hash)
    for (const wrong of [[...content].reverse(), [content[0]!, content[0]!]]) {
      expect(() => tree.build(wrong)).toThrow(expect.objectContaining({ code: 'bad-argument' }))
    }
    expect(tree.stats().nodes).toBe(0)
  })
})

describe('versions', () => {
  it('cannot be used once released, even in mid-scan', () => {
    const { tree, version } = treeOf(rows(10))
    const running = tree.scan(version)
    running.next()
    tree.release(version)
    for (const use of [() => tree.get(version, bytes(1)), () => tree.root(version), () => tree.release(version), () => running.next(), () => tree.at(version), () => tree.apply(version, [])]) {
      expect(use).toThrow(expect.objectContaining({ code: 'released' }))
    }
    expect(tree.count(tree.empty)).toBe(0)
    tree.release(tree.empty)
    expect(tree.count(tree.empty)).toBe(0)
  })

  it('share structure, are held apart, and give their memory back', () => {
    const content = rows(5000)
    const { tree, version } = treeOf(content)
    const full = tree.stats()
    expect(full.nodes).toBe(9999)
    const second = tree.retain(version)
    const third = tree.apply(version, [{ key: content[77]!.key, value: bytes(1) }])
    expect(tree.stats().nodes - full.nodes).toBeLessThan(30)
    tree.release(version)
    expect([...tree.scan(second)]).toEqual(content)
    tree.release(second)
    expect(tree.stats().nodes).toBe(9999)
    tree.release(third)
    expect(tree.stats()).toMatchObject({ nodes: 0, contentBytes: 0, versions: 0 })
    expect(tree.stats().nodeBytes).toBeLessThan(2 * 4096 * 52 + 1)
    expect(tree.stats().recordBytes).toBeLessThan(full.recordBytes)
  })

  it('replaced ten thousand times take no more room', () => {
    const content = rows(200)
    const tree = new StateTree(hash)
    let version = tree.build(content)
    const next = random(11)
    let peak = 0
    for (let i = 0; i < 10_000; i++) {
      const { key } = content[next() % content.length]!
      const after = tree.apply(version, [{ key, value: new Uint8Array(next() % 100) }])
      tree.release(version)
      version = after
      if (i === 1000) peak = tree.stats().nodeBytes + tree.stats().recordBytes
    }
    expect(tree.stats().nodes).toBe(399)
    expect(tree.stats().nodeBytes + tree.stats().recordBytes).toBeLessThanOrEqual(peak * 1.5)
  })

  it('are not touched by what the caller does to bytes it gave or got', () => {
    const key = bytes(1, 2)
    const value = bytes(3)
    const { tree, version } = treeOf([{ key, value }])
    value[0] = 9
    tree.get(version, key)![0] = 8
    expect(tree.get(version, key)).toEqual(bytes(3))
  })
})

describe('an insider who chooses keys', () => {
  it('gets a path of 2,040 nodes at most, and every operation stands it', () => {
    const deepest = new Uint8Array(255)
    const content = [...Array(2040).keys()].map((bit) => {
      const key = deepest.slice()
      key[bit >>> 3] = 0x80 >> (bit & 7)
      return { key, value: bytes(bit) }
    })
    content.push({ key: deepest, value: bytes() })
    const { tree, version } = treeOf(content)
    const twice = tree.apply(version, [{ key: deepest, value: bytes(5) }])
    expect(tree.count(twice)).toBe(2041)
    expect(tree.rank(twice, content[2039]!.key)).toBe(1)
    expect([...tree.diff(version, twice)]).toEqual([{ key: deepest, before: bytes(), after: bytes(5) }])
    let backwards = tree.empty
    for (let i = 0; i < content.length; i += 60) {
      const next = tree.apply(backwards, content.slice(i, i + 60).reverse())
      tree.release(backwards)
      backwards = next
    }
    expect(tree.root(backwards)).toEqual(tree.root(version))
    const none = tree.apply(twice, content.map(({ key }) => ({ key, value: null })))
    expect(tree.count(none)).toBe(0)
  })
})

describe('four hashes at a time', () => {
  it('are the same as one by one, and as many: for values of any length, any number of rows, and edits of a few', () => {
    const one = { sha256: hash.sha256, sha256Into: hash.sha256Into }
    expect(hash.lanes).toBeDefined()
    const lengths = [0, 1, 55, 56, 63, 64, 119, 120, 200, 479, 480, 481, 3000]
    for (const count of [1, 2, 3, 4, 5, 6, 7, 9, 30, 1000]) {
      const content = rows(count).map(({ key }, i) => ({ key, value: new Uint8Array(lengths[(i * 7) % lengths.length] as number).fill(i) }))
      const [four, single] = [new StateTree(hash), new StateTree(one)]
      let [version, twin] = [four.build(content), single.build(content)]
      for (let step = 0; step < 6; step++) {
        expect(four.root(version)).toEqual(single.root(twin))
        expect(four.stats().hashes).toBe(single.stats().hashes)
        const edits = content.slice(0, 1 + step * step).map(({ key }, i) => ({ key, value: i % 3 === 0 ? null : new Uint8Array(lengths[(i + step) % lengths.length] as number) }))
        ;[version, twin] = [four.apply(version, edits), single.apply(twin, edits)]
      }
      const queries = [{ kind: 'scan', limit: 50 }, { kind: 'has', key: content[count >> 1]!.key }] as const
      const proof = prove(four, version, queries)
      expect(proof).toEqual(prove(single, twin, queries))
      expect(verify(hash, four.root(version), queries, proof).answers).toEqual(verify(one, single.root(twin), queries, proof).answers)
    }
  })
})

describe('costs, counted', () => {
  it('are three hashes a row to build, those of one path to put, none to read', () => {
    const content = rows(4000)
    const { tree, version } = treeOf(content)
    tree.root(version)
    expect(tree.stats().hashes).toBe(3 * 4000 - 1)
    const put = tree.apply(version, [{ key: content[5]!.key, value: bytes(1) }])
    expect(tree.stats().hashes).toBe(3 * 4000 - 1)
    tree.root(put)
    expect(tree.stats().hashes - (3 * 4000 - 1)).toBeLessThan(24)
    const before = tree.stats().hashes
    expect([tree.count(put), tree.get(put, content[5]!.key), tree.root(put).length, [...tree.scan(put)].length, [...tree.diff(version, put)].length]).toEqual([4000, bytes(1), 32, 4000, 1])
    expect(tree.stats().hashes).toBe(before)
  })

  it('stay within 150 bytes a row, 1 KB a point proof, 2 KB over the rows of a range of 100', () => {
    const content = rows(20_000)
    const tree = new StateTree(hash)
    const version = tree.build(content)
    const { nodeBytes, recordBytes, contentBytes } = tree.stats()
    expect((nodeBytes + recordBytes - contentBytes) / content.length).toBeLessThan(150)
    for (let i = 0; i < 19_000; i += 997) {
      const row = content[i]!
      expect(prove(tree, version, [{ kind: 'get', key: row.key }]).length - row.value.length).toBeLessThan(800)
      const range = content.slice(i, i + 100).reduce((sum, { key, value }) => sum + key.length + value.length, 0)
      expect(prove(tree, version, [{ kind: 'scan', lo: row.key, limit: 100 }]).length - range).toBeLessThan(2048)
    }
  })
})
