/**
 * A space on a disk that fails: each step of the store once, not done or done anyway; and a store whose files were cut or changed. What was acknowledged
 * is there, what is there is right, and who can't go on says why (attacks.md 36).
 */
import { describe, expect, it } from 'vitest'
import { isSealError } from '../../engine/errors.js'
import { rotate } from '../../engine/space/acts.js'
import { audit } from '../../engine/space/audit.js'
import { createSpace, openSpace } from '../../engine/space/open.js'
import { NAMES } from '../../engine/space/persist.js'
import { writeStoredSnapshot } from '../../engine/space/snapshot.js'
import type { Space } from '../../engine/space/space.js'
import type { RowView } from '../../engine/space/types.js'
import type { SpaceView } from '../../engine/space/view.js'
import { fileStoreIn } from '../../engine/store/file/file.js'
import { type Fault, SimulatedDisk } from '../store/disk.js'
import { createTable, crypto, optionsOf, put, rows, taskTable } from './rim-support.js'
import { Sequencer } from './sequencer.js'

const OPTIONS = { segmentLength: 6_000 }
const bodies = (space: Space): string[] => (space.current.catalog.length === 0 ? [] : [...space.current.rows(1)].map((row) => new TextDecoder().decode((row as RowView).body)))
const insert = (space: Space, n: number): Promise<unknown> => space.commit(rows(put('insert', 1, BigInt(n), 0n, `row ${n}`)), space.current)
const snapshot = (space: Space): Promise<void> => writeStoredSnapshot(space.store, space.head, (space.verified as SpaceView).held, space.log)

/** A space with a table, cleanly closed. */
async function founded(): Promise<ReadonlyMap<string, Uint8Array>> {
  const disk = new SimulatedDisk()
  const space = await createSpace(await fileStoreIn(disk, OPTIONS).open(), optionsOf('faults'))
  await space.commit(createTable(taskTable(1), 'table:task'), space.current)
  await space.close()
  return disk.files()
}

const FAULTS = ['fail', 'fail-done', 'short', 'gate'] as const satisfies readonly Fault[]
/** Every so many steps; SEALDB_FAULTS=all for each. */
const STRIDE = process.env['SEALDB_FAULTS'] === 'all' ? 1 : 4

type Act = (space: Space) => Promise<unknown>
const SCRIPT: readonly Act[] = [
  (space) => insert(space, 0),
  snapshot,
  (space) => rotate(space),
  (space) => insert(space, 1),
  (space) => space.store.compact(),
  (space) => insert(space, 2),
]

/** Runs the script; an act that fails is done again, after reopening if it must be. */
async function run(disk: SimulatedDisk, where: () => string): Promise<Space> {
  let opened = 0
  const open = async (): Promise<Space> => {
    for (let tries = 0; ; tries++) {
      try {
        return await openSpace(await fileStoreIn(disk, OPTIONS).open(), optionsOf(`faults ${opened++}`))
      } catch (error) {
        if (!isSealError(error, 'store-failed') || tries > 0) throw new Error(where(), { cause: error })
      }
    }
  }
  let space = await open()
  for (const act of SCRIPT) {
    for (let tries = 0; ; tries++) {
      const before = bodies(space)
      try {
        await act(space)
        break
      } catch (error) {
        if (!isSealError(error) || tries > 1) throw new Error(where(), { cause: error })
        expect(['store-failed', 'read-only', 'rejected'], where()).toContain(error.code)
        if (error.code === 'rejected') break // it had happened
        expect(bodies(space), where()).toEqual(before)
        // It goes on as it is, or says that it can't.
        const writes = await insert(space, 99).then(() => true, (e: unknown) => {
          if (!isSealError(e) || (e.code !== 'read-only' && e.code !== 'store-failed')) throw new Error(where(), { cause: e })
          return false
        })
        if (writes) await space.commit(rows({ kind: 'delete', table: 1, key: [99n] }), space.current)
        expect(writes || !space.writable || error.facts.reopen === true, where()).toBe(true)
        if (writes) continue
        await space.close().catch(() => undefined)
        space = await open()
      }
    }
  }
  return space
}

function refusedByDisk(error: unknown): void {
  if (!isSealError(error, 'store-failed')) throw error
}

describe('a disk that fails', () => {
  for (const fault of FAULTS) {
    it(`at each step: ${fault}`, async () => {
      const files = await founded()
      const dry = new SimulatedDisk(files)
      await (await run(dry, () => 'dry')).close()
      for (let step = FAULTS.indexOf(fault) % STRIDE; step < dry.steps; step += STRIDE) {
        const disk = new SimulatedDisk(files)
        disk.plan = { step, fault }
        const where = (): string => `step ${step}: ${disk.trace[step]}`
        const space = await run(disk, where)
        expect(bodies(space), where()).toEqual(['row 0', 'row 1', 'row 2'])
        const report = await audit(space.store, crypto)
        expect([report.problems, report.ignored, report.rejected], where()).toEqual([[], {}, {}])
        await space.close().catch(refusedByDisk)
      }
    })
  }

  it('while entries are received: nothing half taken, and taken when it is tried again', async () => {
    for (const fault of ['fail', 'fail-done', 'gate'] as const) {
      for (let step = 0; step < 3; step++) {
        const disk = new SimulatedDisk(await founded())
        const space = await openSpace(await fileStoreIn(disk, OPTIONS).open(), optionsOf('receiving'))
        const relay = await Sequencer.attach(space)
        await insert(space, 1)
        const [item] = space.outbox()
        relay.take(item?.record as Uint8Array)
        const { head } = space
        const { versions } = space.stats
        disk.plan = { step: disk.steps + step, fault }
        const failed = await relay.deliver(space).then(() => undefined, (error: unknown) => error)
        let now = space
        if (failed !== undefined) {
          expect(isSealError(failed, 'store-failed')).toBe(true)
          expect([space.head, space.outbox().length, bodies(space), space.stats.versions]).toEqual([head, 1, ['row 1'], versions])
          if (!space.writable) {
            await space.close().catch(() => undefined)
            now = await openSpace(await fileStoreIn(disk, OPTIONS).open(), optionsOf('again'))
          }
          await relay.deliver(now)
        }
        expect([now.head, now.outbox(), bodies(now)]).toEqual([relay.head, [], ['row 1']])
        expect((await audit(now.store, crypto)).problems).toEqual([])
        await now.close().catch(refusedByDisk) // the plan may strike only now
      }
    }
  })
})

describe('files that were changed', () => {
  it('any part of any file flipped or cut: the same space, or a refusal', async () => {
    const disk = new SimulatedDisk(await founded())
    const space = await openSpace(await fileStoreIn(disk, OPTIONS).open(), optionsOf('damage'))
    for (let n = 0; n < 4; n++) await insert(space, n)
    await snapshot(space)
    await insert(space, 4)
    const { head } = space
    await space.close()
    const files = disk.files()
    let refused = 0
    let recovered = 0
    let unbegun = 0
    const outcome = async (changed: ReadonlyMap<string, Uint8Array>, name: string, what: string): Promise<void> => {
      const where = `${name}: ${what}`
      try {
        const store = await fileStoreIn(new SimulatedDisk(changed), OPTIONS).open()
        const opened = await openSpace(store, optionsOf('damaged'))
        const expected = ['row 0', 'row 1', 'row 2', 'row 3', 'row 4']
        if (opened.head.size === head.size) {
          expect([opened.head, bodies(opened)], where).toEqual([head, expected])
          recovered++
        // A torn tail: as after a crash before the last commits were durable.
        } else expect(bodies(opened), where).toEqual(expected.slice(0, bodies(opened).length))
        for (let size = 1; size <= opened.head.size; size += 3) (await opened.at(size)).release()
        await opened.close()
      } catch (error) {
        // By the store, which names the place: nothing is left for the space to stumble over.
        // But a file that is written to may be cut where the space had not begun yet.
        const before = what.startsWith('cut') && isSealError(error, 'bad-argument') && error.facts['name'] === 'device'
        if (before) unbegun++
        else if (!isSealError(error, 'store-corrupt') || error.facts['file'] !== name) throw new Error(where, { cause: error })
        refused++
      }
    }
    for (const [name, bytes] of files) {
      const stride = Math.max(1, Math.floor(bytes.length / (STRIDE === 1 ? 400 : 12)))
      for (let at = 0; at < bytes.length; at += stride) {
        const flipped = Uint8Array.from(bytes)
        flipped[at] = (flipped[at] as number) ^ (1 << at % 8)
        await outcome(new Map<string, Uint8Array>([...files, [name, flipped]]), name, `flipped at ${at}`)
        if (at % 3 === 0) await outcome(new Map<string, Uint8Array>([...files, [name, bytes.subarray(0, at)]]), name, `cut at ${at}`)
      }
      await outcome(new Map([...files].filter(([other]) => other !== name)), name, 'gone')
    }
    expect(refused).toBeGreaterThan(0)
    expect(recovered).toBeGreaterThan(0)
    expect(unbegun).toBeLessThan(refused / 2)
  })

  it('a snapshot that is not what it says is left aside, and told, while the entries are there', async () => {
    const disk = new SimulatedDisk(await founded())
    const location = fileStoreIn(disk, OPTIONS)
    const space = await openSpace(await location.open(), optionsOf('snapshot'))
    await insert(space, 1)
    const { head } = space
    const other = (await space.at(head.size - 1)) as SpaceView
    await writeStoredSnapshot(space.store, head, other.held, space.log)
    other.release()
    await space.close()
    const again = await openSpace(await location.open(), optionsOf('snapshot again'))
    const alerts: string[] = []
    again.on('alert', ({ code }) => alerts.push(code))
    await new Promise((resolve) => setImmediate(resolve))
    expect([again.head, alerts, bodies(again)]).toEqual([head, ['tampered'], ['row 1']])
    expect((await audit(again.store, crypto)).problems).toHaveLength(1)
    expect(again.store.get(NAMES.distrusted)).toBeDefined() // so another is due: lazy-image.test.ts
    await again.store.commit({ keep: [again.head.size, again.head.size] })
    await again.close()
    await expect(openSpace(await location.open(), optionsOf('no entries'))).rejects.toMatchObject({ code: 'store-corrupt' })
  })
})
