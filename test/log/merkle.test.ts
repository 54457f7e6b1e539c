import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeBase64, encodeHex } from '../../engine/codec/bytes.js'
import { Reader, Writer } from '../../engine/codec/canonical.js'
import { isSealError } from '../../engine/errors.js'
import { EMPTY_LOG_ROOT, leafHash, type LogProof, nodeHash, readLogProof, verifyConsistency, verifyInclusion, writeLogProof } from '../../engine/log/merkle.js'
import { referenceConsistency, referenceInclusion, referenceRoot } from '../../engine/log/reference.js'
import { crypto, leavesOf } from './crypto.js'

const FIXTURES = join(import.meta.dirname, '../../../shared/fixtures/merkle')

type Verdict = 'accepted' | 'bad-proof'

function verdictOf(run: () => unknown): Verdict {
  try {
    run()
  } catch (error) {
    if (isSealError(error, 'bad-proof')) return 'bad-proof'
    throw error
  }
  return 'accepted'
}

/** Every way to damage a proof: one bit of each byte, each hash dropped, doubled, swapped with any other, cut short, one added anywhere. */
function* damaged(proof: LogProof, foreign: readonly Uint8Array[]): Generator<LogProof> {
  for (let i = 0; i < proof.length; i++) {
    const hash = proof[i] as Uint8Array
    for (let at = 0; at < hash.length; at++) {
      const changed = hash.slice()
      changed[at] = (changed[at] as number) ^ (1 << (at + i) % 8)
      yield proof.with(i, changed)
    }
    yield proof.toSpliced(i, 1)
    yield proof.toSpliced(i, 0, hash)
    yield proof.with(i, hash.subarray(0, 31))
    yield proof.with(i, new Uint8Array([...hash, 0]))
    for (let j = i + 1; j < proof.length; j++) yield proof.with(i, proof[j] as Uint8Array).with(j, hash)
  }
  for (const extra of foreign) for (let i = 0; i <= proof.length; i++) yield proof.toSpliced(i, 0, extra)
  if (proof.length > 0) yield []
}

describe('hashes', () => {
  test('are those of RFC 6962', () => {
    expect(encodeHex(EMPTY_LOG_ROOT)).toBe(encodeHex(crypto.sha256(new Uint8Array(0))))
    expect(encodeHex(leafHash(crypto, new Uint8Array(0)))).toBe('6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d')
    const left = leafHash(crypto, Uint8Array.of(1))
    expect(nodeHash(crypto, left, EMPTY_LOG_ROOT)).toEqual(crypto.sha256(new Uint8Array([1, ...left, ...EMPTY_LOG_ROOT])))
  })
})

describe('every log of up to 64 leaves', () => {
  // A million refusals: capturing a stack for each would be most of the time.
  const { stackTraceLimit } = Error
  beforeAll(() => void (Error.stackTraceLimit = 0))
  afterAll(() => void (Error.stackTraceLimit = stackTraceLimit))

  const leaves = leavesOf(65)
  let refusals = 0
  const roots = leaves.map((_, size) => referenceRoot(crypto, leaves.slice(0, size)))

  test('each inclusion proof is accepted, each damaged one refused', () => {
    for (let size = 1; size <= 64; size++) {
      const root = roots[size] as Uint8Array
      for (let index = 0; index < size; index++) {
        const leaf = leaves[index] as Uint8Array
        const proof = referenceInclusion(crypto, index, leaves.slice(0, size))
        const claim = { index, size, leaf, proof, root }
        verifyInclusion(crypto, claim)
        for (const proof of damaged(claim.proof, [leaf, root])) refused(() => verifyInclusion(crypto, { ...claim, proof }), claim)
        for (const other of [index - 1, index + 1, index ^ 2]) refused(() => verifyInclusion(crypto, { ...claim, index: other }), claim)
        refused(() => verifyInclusion(crypto, { ...claim, leaf: leaves[64] as Uint8Array }), claim)
        refused(() => verifyInclusion(crypto, { ...claim, leaf: leaf.subarray(1) }), claim)
        refused(() => verifyInclusion(crypto, { ...claim, root: roots[size - 1] as Uint8Array }), claim)
        refused(() => verifyInclusion(crypto, { ...claim, root: root.subarray(0, 31) }), claim)
      }
    }
  })

  test('each consistency proof is accepted, each damaged one refused', () => {
    for (let size2 = 1; size2 <= 64; size2++) {
      for (let size1 = 1; size1 <= size2; size1++) {
        const root1 = roots[size1] as Uint8Array
        const root2 = roots[size2] as Uint8Array
        const proof = referenceConsistency(crypto, size1, leaves.slice(0, size2))
        const claim = { size1, root1, size2, root2, proof }
        verifyConsistency(crypto, claim)
        for (const proof of damaged(claim.proof, [root1, root2])) refused(() => verifyConsistency(crypto, { ...claim, proof }), claim)
        if (size1 < size2) {
          refused(() => verifyConsistency(crypto, { ...claim, size1: size1 + 1 }), claim)
          refused(() => verifyConsistency(crypto, { ...claim, size1: size1 - 1 }), claim)
          refused(() => verifyConsistency(crypto, { ...claim, root1: root2, root2: root1 }), claim)
          refused(() => verifyConsistency(crypto, { ...claim, size1: size2, size2: size1 }), claim)
        }
        refused(() => verifyConsistency(crypto, { ...claim, root1: roots[size1 - 1] as Uint8Array }), claim)
        refused(() => verifyConsistency(crypto, { ...claim, root2: leaves[64] as Uint8Array }), claim)
        refused(() => verifyConsistency(crypto, { ...claim, root1: root1.subarray(1) }), claim)
      }
    }
  })

  function refused(run: () => unknown, claim: object): void {
    refusals++
    if (verdictOf(run) === 'accepted') expect.fail(`accepted a damaged proof: ${JSON.stringify(claim)}`)
  }
})

test('what is verified is handed back', () => {
  const [a, b] = leavesOf(2) as [Uint8Array, Uint8Array]
  const root = nodeHash(crypto, a, b)
  expect(verifyInclusion(crypto, { index: 1, size: 2, leaf: b, proof: [a], root })).toEqual({ index: 1, size: 2, leaf: b, root })
  expect(verifyConsistency(crypto, { size1: 1, root1: a, size2: 2, root2: root, proof: [b] })).toEqual({ size1: 1, root1: a, size2: 2, root2: root })
})

describe('sizes', () => {
  const root = leavesOf(1)[0] as Uint8Array
  const bad = [0, -1, 0.5, NaN, Infinity, 2 ** 48, 2 ** 53, 2 ** 53 + 2, -0]

  test('that no log has are refused', () => {
    for (const size of bad) {
      expect(verdictOf(() => verifyInclusion(crypto, { index: 0, size, leaf: root, proof: [], root })), `size ${size}`).toBe('bad-proof')
      expect(verdictOf(() => verifyConsistency(crypto, { size1: size, root1: root, size2: size, root2: root, proof: [] })), `sizes ${size}`).toBe('bad-proof')
      expect(verdictOf(() => verifyConsistency(crypto, { size1: 1, root1: root, size2: size, root2: root, proof: [] })), `size2 ${size}`).toBe('bad-proof')
    }
    for (const index of [1, -1, 0.5, NaN, 2 ** 53]) {
      expect(verdictOf(() => verifyInclusion(crypto, { index, size: 1, leaf: root, proof: [], root })), `index ${index}`).toBe('bad-proof')
    }
  })

  test('of 48 bits are exact: a proof of the longest log, and its neighbours refused', () => {
    // The rightmost path of 2^48 − 1 leaves has a left sibling at each of 47 levels.
    const size = 2 ** 48 - 1
    const index = size - 1
    const proof = leavesOf(47)
    let running = root
    for (const sibling of proof) running = nodeHash(crypto, sibling, running)
    expect(verdictOf(() => verifyInclusion(crypto, { index, size, leaf: root, proof, root: running }))).toBe('accepted')
    for (const other of [index - 1, index - 2 ** 32, 2 ** 31 - 2]) {
      expect(verdictOf(() => verifyInclusion(crypto, { index: other, size, leaf: root, proof, root: running }))).toBe('bad-proof')
    }
    expect(verdictOf(() => verifyInclusion(crypto, { index, size: size - 2 ** 33, leaf: root, proof, root: running }))).toBe('bad-proof')
  })

  test('a proof of a million hashes is refused by its length', () => {
    const proof = new Array<Uint8Array>(1_000_000).fill(root)
    expect(verdictOf(() => verifyInclusion(crypto, { index: 5, size: 100, leaf: root, proof, root }))).toBe('bad-proof')
    expect(verdictOf(() => verifyConsistency(crypto, { size1: 5, size2: 100, root1: root, root2: root, proof }))).toBe('bad-proof')
  })
})

describe('proofs as bytes', () => {
  test('round-trip; too many, cut and unfinished are refused', () => {
    const proof = leavesOf(64)
    const bytes = (p: LogProof): Uint8Array => {
      const writer = new Writer()
      writeLogProof(writer, p)
      return writer.finish()
    }
    expect(readLogProof(new Reader(bytes(proof)))).toEqual(proof)
    expect(() => bytes(leavesOf(65))).toThrow(expect.objectContaining({ code: 'too-large' }))
    expect(() => bytes([new Uint8Array(31)])).toThrow(expect.objectContaining({ code: 'bad-value' }))
    expect(() => readLogProof(new Reader(bytes(proof).subarray(0, 2000)))).toThrow(expect.objectContaining({ code: 'bad-encoding' }))
    const before = process.memoryUsage().arrayBuffers
    expect(() => readLogProof(new Reader(new Writer().varint(2 ** 40).finish()))).toThrow(expect.objectContaining({ code: 'too-large' }))
    expect(() => readLogProof(new Reader(new Writer().varint(64).finish()))).toThrow(expect.objectContaining({ code: 'bad-encoding' }))
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20)
  })
})

interface Probe {
  readonly desc: string
  readonly wantErr: boolean
  readonly proof: readonly string[] | null
  readonly root: string
  readonly leafHash: string
  readonly leafIdx: number
  readonly treeSize: number
  readonly size1: number
  readonly size2: number
  readonly root1: string
  readonly root2: string
}

describe.skipIf(!existsSync(FIXTURES))('probes of transparency-dev/merkle (skipped where the fixtures are absent)', () => {
  const files = (folder: string): string[] => readdirSync(join(FIXTURES, folder), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.json'))
  const load = (folder: string, name: string): Probe => JSON.parse(readFileSync(join(FIXTURES, folder, name), 'utf8')) as Probe
  const bytes = (text: string | null): Uint8Array => decodeBase64(text ?? '')

  test.each(files('inclusion'))('inclusion/%s', (name) => {
    const p = load('inclusion', name)
    const claim = { index: p.leafIdx, size: p.treeSize, leaf: bytes(p.leafHash), proof: (p.proof ?? []).map(bytes), root: bytes(p.root) }
    expect(verdictOf(() => verifyInclusion(crypto, claim)), p.desc).toBe(p.wantErr ? 'bad-proof' : 'accepted')
  })

  test.each(files('consistency'))('consistency/%s', (name) => {
    const p = load('consistency', name)
    const claim = { size1: p.size1, root1: bytes(p.root1), size2: p.size2, root2: bytes(p.root2), proof: (p.proof ?? []).map(bytes) }
    expect(verdictOf(() => verifyConsistency(crypto, claim)), p.desc).toBe(p.wantErr ? 'bad-proof' : 'accepted')
  })
})
