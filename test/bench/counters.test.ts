/** What may not move by a busy machine: hashes, bytes and seals of the hot paths, pinned exactly. Times are `npm run bench`'s. */
import { describe, expect, it } from 'vitest'
import { suites as codecSuites } from '../../bench/codec.js'
import { judge } from '../../bench/bars.js'
import { filledLog, suites as logSuites } from '../../bench/log.js'
import { sizes } from '../../bench/state.js'
import { barChart, growthChart } from '../../bench/svg.js'
import { SEALED_OVERHEAD } from '../../engine/crypto/aead.js'
import { nodeProvider } from '../../engine/crypto/node.js'
import { withKernels } from '../../engine/crypto/with-kernels.js'
import type { CryptoProvider } from '../../engine/crypto/provider.js'
import { leafHash } from '../../engine/log/merkle.js'
import { createSpace } from '../../engine/space/open.js'
import type { Space } from '../../engine/space/space.js'
import { memoryStore } from '../../engine/store/memory.js'
import { StateTree } from '../../engine/state/tree.js'
import { createTable, optionsOf, put, rows, taskTable } from '../space/rim-support.js'

interface Counts { hashes: number; seals: number; opens: number; signatures: number; verifications: number }

/** The node provider, counting. HMAC and HKDF have a hash of their own and are not in `hashes`. */
function counting(): { readonly crypto: CryptoProvider; take(): Counts } {
  const none = (): Counts => ({ hashes: 0, seals: 0, opens: 0, signatures: 0, verifications: 0 })
  let counts = none()
  const tally = <A extends unknown[], R>(what: keyof Counts, call: (...args: A) => R) => (...args: A): R => {
    counts[what] += 1
    return call(...args)
  }
  const crypto: CryptoProvider = {
    ...nodeProvider,
    sha256: tally('hashes', nodeProvider.sha256),
    sha256Into: tally('hashes', nodeProvider.sha256Into),
    chachaSeal: tally('seals', nodeProvider.chachaSeal),
    chachaOpen: tally('opens', nodeProvider.chachaOpen),
    verifyEd25519: tally('verifications', nodeProvider.verifyEd25519),
    signer: (seed) => {
      const signer = nodeProvider.signer(seed)
      return { ...signer, sign: tally('signatures', signer.sign) }
    },
  }
  return {
    crypto,
    take: () => {
      const taken = counts
      counts = none()
      return taken
    },
  }
}

const keyed = (count: number): { key: Uint8Array; value: Uint8Array }[] =>
  Array.from({ length: count }, (_, i) => ({ key: Uint8Array.of(0x40, i >> 16, i >> 8, i), value: new Uint8Array(200).fill(i) }))

describe('the state tree', () => {
  it.each([1, 2, 1_000, 4_096])('hashes 3n − 1 times to build %i rows', (count) => {
    const { crypto, take } = counting()
    const tree = new StateTree(crypto)
    take() // the empty tree's root
    tree.root(tree.build(keyed(count)))
    expect(take().hashes).toBe(3 * count - 1)
    expect(tree.stats().hashes).toBe(3 * count - 1)
    const inLanes = new StateTree(withKernels(nodeProvider))
    expect(inLanes.root(inLanes.build(keyed(count)))).toEqual(tree.root(tree.build(keyed(count))))
    expect(inLanes.stats().hashes).toBe(3 * count - 1)
  })

  it('hashes one path for one put, and nothing for a root asked for again', () => {
    const { crypto, take } = counting()
    const tree = new StateTree(crypto)
    const version = tree.build(keyed(1_024))
    tree.root(version)
    take()
    const next = tree.apply(version, [{ key: Uint8Array.of(0x40, 0, 1, 7), value: Uint8Array.of(1) }])
    tree.root(next)
    // A leaf is two hashes; 1,024 rows in a row of keys are 10 levels.
    expect(take().hashes).toBe(2 + 10)
    tree.root(next)
    expect(take().hashes).toBe(0)
  })

  it('proves in so many bytes', async () => {
    const { pointProof, rangeProof, overheadPerRow } = await sizes(10_000)
    expect({ pointProof, rangeProof }).toEqual({ pointProof: POINT_PROOF, rangeProof: RANGE_PROOF })
    expect(overheadPerRow).toBeLessThan(150)
  })
})

describe('the log', () => {
  it.each([1, 64, 1_000])('appends %i leaves with n − popcount(n) hashes beside the leaves', (count) => {
    const { crypto, take } = counting()
    filledLog(crypto, count)
    const ones = [...count.toString(2)].filter((bit) => bit === '1').length
    expect(take().hashes).toBe(count + count - ones)
  })

  it('proves with as many hashes as the tree is high', () => {
    const log = filledLog(nodeProvider, 1_000)
    expect(log.inclusionProof(0).length).toBe(10)
    expect(log.inclusionProof(999).length).toBe(8)
    expect(log.consistencyProof(512).length).toBe(1)
    expect(leafHash(nodeProvider, new Uint8Array(0)).length).toBe(32)
  })
})

describe('a transaction', () => {
  it('seals each row once, signs once, verifies nothing of its own, stores one record', async () => {
    const { crypto, take } = counting()
    const store = await memoryStore().open()
    const space = await createSpace(store, { ...optionsOf('counters'), crypto })
    const table = space.current.nextObject
    await space.commit(createTable(taskTable(table), 'task'), space.current)
    take()
    const size = store.size
    await insert(space, table, 100)
    const { hashes, seals, opens, signatures, verifications } = take()
    expect({ seals, opens, signatures, verifications, records: store.size - size }).toEqual({ seals: 100, opens: 0, signatures: 1, verifications: 0, records: 1 })
    // Of each row: the commitment and its AAD (2), a leaf (2) and an inner node (1). The rest is the entry's own.
    expect(hashes - 500).toBe(ENTRY_HASHES)
    await insert(space, table, 100, 100)
    expect(take().hashes - 500).toBe(SECOND_ENTRY_HASHES)
    const [record] = await store.read(size, size + 1)
    expect(record?.length).toBe(ENTRY_BYTES)
    await space.close()
  })

  it('asks for randomness once for 64 rows, however many entries they are in', async () => {
    const options = optionsOf('randomness')
    let asked = 0
    const random = (length: number): Uint8Array => {
      asked += 1
      return options.random(length)
    }
    const space = await createSpace(await memoryStore().open(), { ...options, random })
    const table = space.current.nextObject
    await space.commit(createTable(taskTable(table), 'task'), space.current)
    asked = 0
    for (let i = 0; i < 128; i++) await insert(space, table, 1, i)
    expect(asked).toBe(2)
    await space.close()
  })

  it('adds 77 bytes to what it seals', () => {
    expect(SEALED_OVERHEAD).toBe(77)
  })
})

async function insert(space: Space, table: number, count: number, from = 0): Promise<void> {
  await space.commit(rows(...Array.from({ length: count }, (_, i) => put('insert', table, BigInt(from + i), 7n, 'a body'))), space.current)
}

describe('the bench', () => {
  it('runs every case of log and codec', async () => {
    const all = [...codecSuites(), ...(await logSuites())]
    for (const suite of all) for (const { run } of suite.cases) run()
    expect(all.length).toBe(9)
  })

  it('holds figures against bars, both ways', () => {
    const bars = [{ figure: 'size', atMost: 10 }, { figure: 'rate', atLeast: 10 }]
    const verdicts = (value: number): string[] => judge([{ name: 'size', value, unit: '' }, { name: 'rate', value, unit: '' }, { name: 'other', value, unit: '' }], bars).map(({ verdict }) => verdict)
    expect([verdicts(9), verdicts(10), verdicts(11)]).toEqual([['pass', 'miss', ''], ['pass', 'pass', ''], ['miss', 'pass', '']])
  })

  it('draws what it is given, escaped', () => {
    const bars = barChart('<speed>', 'ops/s', [{ label: 'a & b', group: 'node', value: 1_000 }, { label: 'c', group: 'noble', value: 10 }])
    expect(bars).toContain('&#60;speed&#62;')
    expect(bars).toContain('a &#38; b')
    expect(bars.match(/<rect [^>]*height="13"/g)?.length).toBe(2)
    const growth = growthChart('cost', 'µs', [{ label: 'get', points: [{ n: 1_000, value: 1 }, { n: 10_000, value: 1.3 }] }])
    expect(growth.match(/<polyline/g)?.length).toBe(2)
    expect(growth).not.toContain('NaN')
  })
})

/** The largest of 256 proofs, without the value; a proof of 100 rows, without them. */
const POINT_PROOF = 514
const RANGE_PROOF = 879
/** Beside the rows': path, ring, pointer and counts in the tree, the record's hash, log root and heads. */
const ENTRY_HASHES = 19
const SECOND_ENTRY_HASHES = 27
const ENTRY_BYTES = 9804
