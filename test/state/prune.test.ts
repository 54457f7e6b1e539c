import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { replay } from '../../engine/state/record.js'
import { prefixEnd } from '../../engine/state/keys.js'
import { anyBound, anyKey, bytes, hash, rows, treeOf } from './support.js'

const distinct = fc.uniqueArray(anyKey, { maxLength: 20, selector: (key) => key.join() })

describe('without', () => {
  it('gives what deleting every key with the prefix gives', () => {
    fc.assert(
      fc.property(distinct, anyBound, (keys, prefix) => {
        const { tree, version } = treeOf(keys.map((key) => ({ key, value: key })))
        const left = keys.filter((key) => !(key.length >= prefix.length && prefix.every((b, i) => key[i] === b)))
        const pruned = tree.at(version).without(prefix)
        const slow = treeOf(left.map((key) => ({ key, value: key })))
        expect(pruned.root()).toEqual(slow.tree.root(slow.version))
        expect([...pruned.scan()].map((row) => row.key)).toEqual([...slow.tree.scan(slow.version)].map((row) => row.key))
      }),
      { numRuns: 300 },
    )
  })

  it('opens one path, and frees what it drops', () => {
    const content = [...rows(2_000, 1, 7), ...rows(10, 2, 9)]
    const { tree, version } = treeOf(content)
    const root = tree.root(version)
    const { result, proof } = tree.record(version, (state) => state.without(bytes(0, 7)).root())
    expect(proof.length).toBeLessThan(1_500)
    expect(replay(hash, root, proof, (state) => state.without(bytes(0, 7)).root())).toEqual(result)
    const pruned = tree.at(version).without(bytes(0, 7))
    expect(pruned.count({ lo: bytes(0), hi: prefixEnd(bytes(0)) })).toBe(10)
    tree.release(version)
    expect(tree.stats().nodes).toBe(19)
    pruned.release()
    expect(tree.stats().nodes).toBe(0)
  })
})
