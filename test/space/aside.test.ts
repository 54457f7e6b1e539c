/** Signatures looked at beforehand, together or on other threads: a hint, which changes no verdict. */
import { describe, expect, it } from 'vitest'
import { nobleProvider } from '../../engine/crypto/noble.js'
import { memoryStore } from '../../engine/store/memory.js'
import { withKernels } from '../../engine/crypto/with-kernels.js'
import { verifyAside, verifyTogether } from '../../engine/space/aside.js'
import { Follower, type HeldState } from '../../engine/space/follower.js'
import { createSpace } from '../../engine/space/open.js'
import type { Verdict } from '../../engine/space/types.js'
import { createTable, crypto, optionsOf, put, rows, taskTable } from './rim-support.js'

/** Genesis, table, rows; then the fourth row with a bad signature, with another device's id, cut short, and good. */
async function records(): Promise<readonly Uint8Array[]> {
  const space = await createSpace(await memoryStore().open(), optionsOf('aside'), { name: 'Ada' })
  await space.commit(createTable(taskTable(1), 'table:task'), space.current)
  for (let i = 1n; i <= 4n; i++) await space.commit(rows(put('insert', 1, i, 0n, `row ${i}`)), space.current)
  const all = await space.records(0, space.head.size)
  const last = all.at(-1) as Uint8Array
  const changed = (at: number): Uint8Array => last.map((byte, i) => (i === at ? byte ^ 1 : byte))
  // version 1, space 32, base size 1 (it is below 128), two roots of 32: the device.
  const forgeries = [changed(last.length - 1), changed(1 + 32 + 1 + 64), last.subarray(0, 80)]
  return [...all.slice(0, -1), ...forgeries, last]
}

function verdicts(follower: Follower, all: readonly Uint8Array[], trust: (index: number) => Parameters<Follower['judge']>[1]): Verdict[] {
  return all.map((record, i) => {
    const judged = follower.judge(record, trust(i))
    if (judged.verdict.kind === 'applied') follower.adopt(judged)
    else (judged.state as HeldState).tree.release()
    return judged.verdict
  })
}

describe('signatures looked at together', () => {
  const kernels = withKernels(nobleProvider)
  it('give the verdicts of looking in turn, good ones and forgeries of one device', async () => {
    const [genesis, ...rest] = await records() as [Uint8Array, ...Uint8Array[]]
    for (const provider of [crypto, kernels]) {
      const [inTurn, together] = [Follower.found(provider, genesis), Follower.found(provider, genesis)]
      const expected = rest.map((record) => inTurn.follow(record, 'check').verdict)
      const found: Verdict[] = []
      together.followAll(rest, 'check', ({ verdict }, i) => { found[i] = verdict })
      expect(found).toEqual(expected)
      expect(together.head).toEqual(inTurn.head)
      expect(new Set(found.map(({ kind }) => kind))).toEqual(new Set(['applied', 'ignored']))
    }
  })

  it('say what is good of a whole log, nothing of a device with a forgery among its own, of one that is excepted, or of few', async () => {
    const [genesis, ...rest] = await records() as [Uint8Array, ...Uint8Array[]]
    const { tree } = Follower.found(crypto, genesis).state
    const good = rest.slice(0, -4)
    expect(verifyTogether(kernels, tree, good).map((trust) => typeof trust)).toEqual(good.map(() => 'object'))
    expect(new Set(verifyTogether(kernels, tree, rest))).toEqual(new Set(['check']))
    expect(new Set(verifyTogether(kernels, tree, good, 1))).toEqual(new Set(['check']))
    expect(new Set(verifyTogether(kernels, tree, good.slice(0, 3)))).toEqual(new Set(['check']))
    // Where there are threads, they tell the good ones of such a device.
    expect((await verifyAside(crypto, tree, rest)).filter((trust) => trust !== 'check')).toHaveLength(good.length + 1)
  })

  it('pauses between so many', async () => {
    const [genesis, ...rest] = await records() as [Uint8Array, ...Uint8Array[]]
    const many = Array.from({ length: 300 }, (_, i) => rest[i % 4] as Uint8Array)
    let pauses = 0
    const trust = await verifyAside(kernels, Follower.found(crypto, genesis).state.tree, many, { pause: () => { pauses++; return Promise.resolve() } })
    expect([pauses, trust.filter((one) => one !== 'check').length]).toEqual([2, 300])
  })
})

describe('signatures looked at aside', () => {
  it('the verdicts are those of looking in turn', async () => {
    const [genesis, ...rest] = await records() as [Uint8Array, ...Uint8Array[]]
    const inTurn = Follower.found(crypto, genesis)
    const aside = Follower.found(crypto, genesis)
    const found = await verifyAside(crypto, aside.state.tree, rest)
    expect(found.slice(-5).map((trust) => typeof trust)).toEqual(['object', 'string', 'string', 'string', 'object'])
    const expected = verdicts(inTurn, rest, () => 'check')
    expect(verdicts(aside, rest, (i) => found[i])).toEqual(expected)
    expect(aside.head).toEqual(inTurn.head)
    expect(expected.slice(-5).map(({ kind }) => kind)).toEqual(['applied', 'ignored', 'ignored', 'ignored', 'applied'])
  })

  it('good under another key than the device has: looked at again', async () => {
    const [genesis, table] = await records() as [Uint8Array, Uint8Array]
    const follower = Follower.found(crypto, genesis)
    const forged = table.map((byte, i) => (i === table.length - 1 ? byte ^ 1 : byte))
    const other = crypto.signer(new Uint8Array(32)).publicKey
    expect(verdicts(follower, [forged], () => ({ goodUnder: other }))).toEqual([{ kind: 'ignored', code: 'signature' }])
    expect(verdicts(follower, [table], () => ({ goodUnder: other }))).toEqual([{ kind: 'applied' }])
  })

  it('without other threads nothing is known beforehand', async () => {
    const [genesis, ...rest] = await records() as [Uint8Array, ...Uint8Array[]]
    expect(new Set(await verifyAside(nobleProvider, Follower.found(nobleProvider, genesis).state.tree, rest))).toEqual(new Set(['check']))
  })
})
