/**
 * Every step of the file store fails in every way, or is the last the process takes: nothing acknowledged is lost, nothing that was
 * reported absent appears, and what was under way is there whole or not at all.
 */
import { describe, expect, it } from 'vitest'
import { isSealError } from '../../engine/errors.js'
import { fileStoreIn, type FileStoreOptions } from '../../engine/store/file/file.js'
import { memoryStore } from '../../engine/store/memory.js'
import type { Batch, Store, StoreLocation } from '../../engine/store/store.js'
import { bytes, contents, record } from './conformance.js'
import { type Fault, SimulatedDisk, type Survival } from './disk.js'

type Op = { readonly commit: Batch } | { readonly snapshot: string } | { readonly compact: true }

/** Small files, so that it rolls, packs and merges on the way. */
const SMALL: FileStoreOptions = { segmentLength: 700 }

const SCRIPT: readonly Op[] = [
  { commit: { at: 0, append: [record(0, 90), record(1, 90)], put: [['head', bytes('2')], ['note', bytes('x')]] } },
  { commit: { at: 2, append: [record(2, 600)], put: [['head', bytes('3')]] } },
  { snapshot: 'three' },
  { commit: { at: 3, append: [record(3, 90)], put: [['head', bytes('4')], ['note', null]] } },
  { compact: true },
  { commit: { keep: [1, 4] } },
  { commit: { at: 4, append: [record(4, 600)], put: [['head', bytes('5')]] } },
  { snapshot: 'five' },
  { compact: true },
  { commit: { at: 5, keep: [1, 3], append: [record(103, 90)], put: [['head', bytes('4b')]] } },
  { commit: { at: 4, append: [record(104, 90)] } },
]

async function perform(store: Store, op: Op): Promise<void> {
  if ('commit' in op) await store.commit(op.commit)
  else if ('snapshot' in op) await store.writeSnapshot(bytes(op.snapshot), [record(7, 50), record(8, 50)])
  else await store.compact()
}

const shown: unknown[] = []

/** What a store must show after those operations, which are the first of the script. */
async function expected(done: readonly Op[]): Promise<unknown> {
  expect(done.every((op, i) => op === SCRIPT[i])).toBe(true)
  return (shown[done.length] ??= await shownAfter(done))
}

async function shownAfter(done: readonly Op[]): Promise<unknown> {
  const store = await memoryStore().open()
  for (const op of done) await perform(store, op)
  return contents(store)
}

interface Outcome {
  /** Operations that must show, in order. */
  readonly done: readonly Op[]
  /** One that may. */
  readonly perhaps: Op | undefined
}

/** Open and run the script until the process dies or the script ends, reopening where the store asks for it. */
async function run(at: StoreLocation, script: readonly Op[], options: { readonly reopen: boolean }): Promise<Outcome> {
  const done: Op[] = []
  let perhaps: Op | undefined
  let store: Store | undefined
  const open = async (): Promise<Store> => {
    // A fault may strike while opening; the next attempt must succeed, since it strikes once.
    const opened = await at.open().catch((error: unknown) => {
      if (!isSealError(error, 'store-failed')) throw error
      return options.reopen ? at.open() : undefined
    })
    if (!opened) throw new Error('dead')
    return opened
  }
  try {
    store = await open()
    for (const op of script) {
      try {
        await perform(store, op)
        done.push(op)
      } catch (error) {
        if (!isSealError(error, 'store-failed')) throw error
        if (error.facts['outcome'] === 'unknown') perhaps = op
        if (!options.reopen) return { done, perhaps }
        if (error.facts['reopen'] === true || perhaps) {
          await store.close().catch(() => undefined)
          store = await open()
          if (perhaps) {
            const found = await contents(store)
            const there = await expected([...done, perhaps])
            if (same(found, there)) done.push(perhaps)
            else expect(found).toEqual(await expected(done))
            perhaps = undefined
          }
        }
        if (done.at(-1) !== op) {
          await perform(store, op) // a fault strikes once: now it works
          done.push(op)
        }
      }
      expect(await contents(store)).toEqual(await expected(done))
    }
    await store.close()
  } catch (error) {
    if (isSealError(error, 'store-failed') || (error instanceof Error && error.message === 'dead')) return { done, perhaps }
    throw error
  }
  return { done, perhaps }
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

async function stepsIn(OPTIONS: FileStoreOptions): Promise<number> {
  const disk = new SimulatedDisk()
  await run(fileStoreIn(disk, OPTIONS), SCRIPT, { reopen: true })
  return disk.steps
}

/** A small seeded generator: a failing seed can be run again. */
function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

describe.each([
  ['reading all of the log when it opens', SMALL],
  ['reading as little of it as it can', { ...SMALL, readAtOpening: 0 }],
])('faults of the disk under the file store, %s', (_, OPTIONS) => {
  const stepsOf = (fsync: 'always' | 'never'): Promise<number> => stepsIn({ ...OPTIONS, fsync })

  it('runs the script without faults, and all of it is there', async () => {
    const disk = new SimulatedDisk()
    const { done } = await run(fileStoreIn(disk, OPTIONS), SCRIPT, { reopen: true })
    expect(done.length).toBe(SCRIPT.length)
    const store = await fileStoreIn(disk.crash('lose'), OPTIONS).open()
    expect(await contents(store)).toEqual(await expected(SCRIPT))
  })

  for (const fault of ['fail', 'fail-done', 'short', 'gate'] as const satisfies readonly Fault[]) {
    it(`goes on after any step: ${fault}`, async () => {
      const steps = await stepsOf('always')
      for (let step = 0; step < steps; step++) {
        const disk = new SimulatedDisk()
        disk.plan = { step, fault }
        const { done } = await run(fileStoreIn(disk, OPTIONS), SCRIPT, { reopen: true }).catch((cause: unknown) => {
          throw new Error(`step ${step}: ${disk.trace[step]}`, { cause })
        })
        const store = await fileStoreIn(disk.crash('lose'), OPTIONS).open()
        expect(await contents(store), `step ${step}: ${disk.trace[step]}`).toEqual(await expected(done))
        await store.close()
      }
    })
  }

  for (const fault of ['fail', 'fail-done', 'short', 'gate'] as const satisfies readonly Fault[]) {
    it(`leaves nothing of what it called absent, if the machine dies right after a fault: ${fault}`, async () => {
      const steps = await stepsOf('always')
      for (let step = 0; step < steps; step++) {
        for (const survival of ['lose', 'keep'] as const) {
          const disk = new SimulatedDisk()
          disk.plan = { step, fault }
          const { done, perhaps } = await run(fileStoreIn(disk, OPTIONS), SCRIPT, { reopen: false })
          const store = await fileStoreIn(disk.crash(survival), OPTIONS).open()
          const found = await contents(store)
          if (!(perhaps && same(found, await expected([...done, perhaps])))) expect(found, `step ${step}: ${disk.trace[step]}, ${survival}`).toEqual(await expected(done))
          await store.close()
        }
      }
    })
  }

  it('takes back a whole commit that was written with one that did not fit', async () => {
    const disk = new SimulatedDisk()
    const store = await fileStoreIn(disk, OPTIONS).open()
    disk.plan = { step: disk.steps, fault: 'short' }
    const commits = await Promise.allSettled([store.commit({ at: 0, append: [record(0, 20)] }), store.commit({ at: 1, append: [record(1, 400)] })])
    for (const result of commits) expect(result).toMatchObject({ status: 'rejected', reason: { code: 'store-failed', facts: { outcome: 'absent', errno: 'ENOSPC' } } })
    for (const survival of ['keep', 'lose'] as const) {
      const again = await fileStoreIn(disk.crash(survival), OPTIONS).open()
      expect([again.size, again.torn]).toEqual([0, undefined])
    }
  })

  it('takes no more commits after a failed fsync, until it is opened again', async () => {
    const disk = new SimulatedDisk()
    const store = await fileStoreIn(disk, OPTIONS).open()
    await store.commit({ at: 0, append: [record(0)] })
    disk.plan = { step: disk.steps + 1, fault: 'gate' }
    await expect(store.commit({ at: 1, append: [record(1)] })).rejects.toMatchObject({ code: 'store-failed', family: 'unknown', facts: { outcome: 'unknown', reopen: true } })
    for (const call of [() => store.commit({ at: 1, append: [record(1)] }), () => store.compact()]) {
      await expect(call()).rejects.toMatchObject({ code: 'store-failed', facts: { outcome: 'absent', reopen: true } })
    }
    expect([store.size, await store.read(0, 1)]).toEqual([1, [record(0)]])
    await store.close()
    const again = await fileStoreIn(disk, OPTIONS).open()
    expect(again.size).toBe(2) // it had arrived, and now it is durable:
    expect((await fileStoreIn(disk.crash('lose'), OPTIONS).open()).size).toBe(2)
  })

  it('without fsync, has files durable once another has begun', async () => {
    const disk = new SimulatedDisk()
    const store = await fileStoreIn(disk, { ...OPTIONS, fsync: 'never' }).open()
    for (let i = 0; i < 6; i++) await store.commit({ at: i, append: [record(i, 400)] })
    const again = await fileStoreIn(disk.crash('lose'), OPTIONS).open()
    expect(again.size).toBeGreaterThan(2)
    expect(await again.read(0, again.size)).toEqual(Array.from({ length: again.size }, (_, i) => record(i, 400)))
  })

  for (const survival of ['lose', 'keep', 'torn'] as const satisfies readonly Survival[]) {
    it(`comes back after a crash at any step: ${survival}`, async () => {
      const steps = await stepsOf('always')
      for (let step = 0; step < steps; step++) {
        for (const fault of ['crash', 'crash-done'] as const) {
          const disk = new SimulatedDisk()
          disk.plan = { step, fault }
          const done: Op[] = []
          let under: Op | undefined
          try {
            const store = await fileStoreIn(disk, OPTIONS).open()
            for (const op of SCRIPT) {
              under = op
              await perform(store, op)
              done.push(op)
              under = undefined
            }
            await store.close()
          } catch (error) {
            if (!isSealError(error, 'store-failed')) throw error
          }
          const where = `step ${step}: ${disk.trace[step]}, ${fault}`
          for (let seed = 0; seed < (survival === 'torn' ? 6 : 1); seed++) {
            const next = disk.crash(survival, seeded(step * 64 + seed))
            const store = await fileStoreIn(next, OPTIONS).open().catch((cause: unknown) => {
              throw new Error(where, { cause })
            })
            const found = await contents(store)
            if (!(under && same(found, await expected([...done, under])))) expect(found, where).toEqual(await expected(done))
            // and it works on, and what it then acknowledges is durable too
            await store.commit({ at: store.size, append: [record(9)] })
            const after = await contents(store)
            const last = await fileStoreIn(next.crash('lose'), OPTIONS).open()
            expect(await contents(last), where).toEqual(after)
            await last.close()
          }
        }
      }
    })
  }

  it('survives the death of the process without fsync', async () => {
    const steps = await stepsOf('never')
    for (let step = 0; step < steps; step++) {
      const disk = new SimulatedDisk()
      disk.plan = { step, fault: 'crash' }
      const { done } = await run(fileStoreIn(disk, { ...OPTIONS, fsync: 'never' }), SCRIPT, { reopen: false })
      const store = await fileStoreIn(disk.crash('keep'), OPTIONS).open()
      const found = await contents(store)
      const under = SCRIPT[done.length]
      if (!(under && same(found, await expected([...done, under])))) expect(found, `step ${step}: ${disk.trace[step]}`).toEqual(await expected(done))
    }
  })
})
