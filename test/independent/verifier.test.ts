/** PROTOCOL.md is enough: a verifier written from its text alone accepts what the vectors accept, refuses what they refuse, and agrees with the engine. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { encodeCanonical } from '../../engine/codec/canonical.js'
import { nodeProvider } from '../../engine/crypto/node.js'
import { prove, verify, writeQueries, type Query } from '../../engine/state/queries.js'
import { rows, treeOf } from '../state/support.js'
import { checkConsistency, checkInclusion, checkReads, leafHash, rootOf } from './verifier.mjs'
import { importsOf } from './imports.js'

type Hex = string
interface StateVectors {
  readonly trees: readonly { readonly name: string; readonly rows: readonly { readonly key: Hex; readonly value: Hex }[]; readonly root: Hex }[]
  readonly proofs: {
    readonly root: Hex
    readonly accepted: readonly { readonly queries: Hex; readonly proof: Hex; readonly answers: unknown }[]
    readonly refused: readonly { readonly what: string; readonly queries: Hex; readonly proof: Hex }[]
  }
}
interface LogVectors {
  readonly entries: readonly { readonly data: Hex; readonly leaf: Hex }[]
  readonly roots: readonly { readonly root: Hex }[]
  readonly inclusion: readonly { readonly index: number; readonly size: number; readonly proof: readonly Hex[] }[]
  readonly consistency: readonly { readonly size1: number; readonly size2: number; readonly proof: readonly Hex[] }[]
}

const vectors = <T>(name: string): T => JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8')) as T
const hex = (text: Hex): Buffer => Buffer.from(text, 'hex')
const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, inner: unknown) => (inner === undefined ? null : isBuffer(inner) ? Buffer.from(inner.data).toString('hex') : inner))) as unknown
const isBuffer = (value: unknown): value is { readonly data: number[] } => typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer'

it('imports nothing of the engine', () => {
  expect(importsOf('./verifier.mjs')).toEqual(['node:crypto'])
})

describe('state', () => {
  const { trees, proofs } = vectors<StateVectors>('state')
  it.each(trees)('root of $name', ({ rows: content, root }) => {
    expect(rootOf(content.map(({ key, value }) => ({ key: hex(key), value: hex(value) }))).toString('hex')).toBe(root)
  })

  it('accepts each proof of the vectors with its answers, and refuses the others', () => {
    for (const { queries, proof, answers } of proofs.accepted) expect(plain(checkReads(hex(proofs.root), hex(queries), hex(proof)))).toEqual(answers)
    for (const { what, queries, proof } of proofs.refused) expect(() => checkReads(hex(proofs.root), hex(queries), hex(proof)), what).toThrow()
  })

  it('says what the engine says of proofs of a hundred keys, whole or with a byte changed', () => {
    const content = rows(100)
    const { tree, version } = treeOf(content)
    const root = tree.root(version)
    const [{ key }, { key: hi }] = [content[40]!, content[47]!]
    const queries: Query[] = [
      { kind: 'get', key }, { kind: 'get', key: key.map((byte, i) => (i === 7 ? byte ^ 1 : byte)) }, { kind: 'scan', lo: key, hi }, { kind: 'scan', hi, reverse: true, limit: 2 },
      { kind: 'count', lo: key }, { kind: 'nth', n: 99 }, { kind: 'subtreeRoot', prefix: key.subarray(0, 3) },
    ]
    for (const query of queries) {
      const proof = prove(tree, version, [query])
      const asked = Buffer.from(encodeCanonical([query], writeQueries))
      const answers = verify(nodeProvider, root, [query], proof).answers.map((answer) => toBuffers(answer))
      expect(plain(checkReads(Buffer.from(root), asked, Buffer.from(proof)))).toEqual(plain(answers))
      for (let at = 0; at < proof.length; at++) {
        const changed = Buffer.from(proof)
        changed[at]! ^= 1 << (at & 7)
        expect(() => checkReads(Buffer.from(root), asked, changed), `byte ${at}`).toThrow()
      }
    }
  })
})

describe('log', () => {
  const { entries, roots, inclusion, consistency } = vectors<LogVectors>('log')
  const rootAt = (size: number): Buffer => hex(roots[size]!.root)
  const damaged = (proof: readonly Buffer[]): Buffer[][] => proof.flatMap((hash, i) => [proof.toSpliced(i, 1), proof.toSpliced(i, 0, hash), proof.with(i, leafHash(hash))])

  it('accepts each inclusion and consistency proof, and none that is damaged', () => {
    for (const { data, leaf } of entries) expect(leafHash(hex(data)).toString('hex')).toBe(leaf)
    for (const { index, size, proof } of inclusion) {
      const claim = { index, size, leaf: hex(entries[index]!.leaf), proof: proof.map(hex), root: rootAt(size) }
      checkInclusion(claim)
      for (const other of damaged(claim.proof)) expect(() => { checkInclusion({ ...claim, proof: other }) }).toThrow()
    }
    for (const { size1, size2, proof } of consistency) {
      const claim = { size1, size2, root1: rootAt(size1), root2: rootAt(size2), proof: proof.map(hex) }
      checkConsistency(claim)
      for (const other of damaged(claim.proof)) expect(() => { checkConsistency({ ...claim, proof: other }) }).toThrow()
    }
  })
})

/** The engine answers with plain arrays. */
function toBuffers(answer: unknown): unknown {
  if (answer instanceof Uint8Array) return Buffer.from(answer)
  if (Array.isArray(answer)) return answer.map(toBuffers)
  if (typeof answer === 'object' && answer !== null) return Object.fromEntries(Object.entries(answer).map(([name, value]) => [name, toBuffers(value)]))
  return answer
}
