/** What a device does by itself and what stops it: a refresh that is tried again, a protocol that it does not know. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { forget, invite, leave, pendingForget, refreshIfNeeded, rotate } from '../../engine/space/acts.js'
import { Duties } from '../../engine/space/duties.js'
import { decodeRecord } from '../../engine/space/entry.js'
import { createSpace, openSpace } from '../../engine/space/open.js'
import type { Alert } from '../../engine/space/port.js'
import type { Space } from '../../engine/space/space.js'
import { memoryStore } from '../../engine/store/memory.js'
import type { StoreLocation } from '../../engine/store/store.js'
import { createTable, optionsOf, put, rows, taskTable } from './rim-support.js'
import { Sequencer } from './sequencer.js'

const open: Space[] = []
afterEach(async () => { for (const space of open.splice(0)) await space.close() })
const insert = (space: Space, key: number): ReturnType<Space['commit']> => space.commit(rows(put('insert', 1, BigInt(key), 0n, `row ${key}`)), space.current)
const count = (space: Space): number => [...space.current.rows(1)].filter((row) => 'body' in row).length
const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))

async function couple(seed: string): Promise<{ ada: Space; bob: Space; relay: Sequencer; at: { ada: StoreLocation; bob: StoreLocation } }> {
  const at = { ada: memoryStore(), bob: memoryStore() }
  const ada = await createSpace(await at.ada.open(), optionsOf(`${seed} ada`))
  await ada.commit(createTable(taskTable(1), 'table:task'), ada.current)
  const relay = await Sequencer.attach(ada)
  const bob = await relay.join(at.bob, await relay.during(ada, invite(ada, { role: 'writer' })), `${seed} bob`)
  open.push(ada, bob)
  await relay.settle(ada, bob)
  return { ada, bob, relay, at }
}

function refreshed(record: Uint8Array | undefined): Uint8Array {
  const decoded = decodeRecord(record as Uint8Array)
  const op = decoded.kind === 'entry' && decoded.entry.ops.at(0)
  if (!op || op.op !== 'agreement.refresh') throw new Error('no refresh')
  return op.agreement.slice()
}

describe('a leaving that was refused', () => {
  it('is built again until it lands', async () => {
    const { ada, bob, relay } = await couple('leave')
    const left = leave(bob)
    await tick()
    expect(bob.outbox()).toHaveLength(1)
    // An epoch begins before it gets there.
    await relay.during(ada, rotate(ada))
    await relay.deliver(bob)
    await relay.during(bob, left)
    await relay.deliver(ada)
    expect(ada.current.members().map(({ removed }) => removed)).toEqual([false, true])
  })

  it('is not tried again where the space says no', async () => {
    const { ada, relay } = await couple('leave alone')
    await expect(relay.during(ada, leave(ada))).rejects.toMatchObject({ code: 'rejected', facts: { detail: 'last-owner' } })
  })
})

describe('a refresh that was refused', () => {
  it('is tried again with the same key: whichever entry lands, the device has it', async () => {
    const { ada, bob, relay } = await couple('refresh')
    await insert(ada, 1)
    await relay.during(ada, forget(ada))
    await relay.deliver(bob)
    const first = refreshIfNeeded(bob).then(() => 'landed', () => 'refused')
    await tick()
    const key = refreshed(bob.outbox()[0]?.record)
    // The epoch moves on before it gets there.
    await relay.during(ada, rotate(ada))
    await relay.deliver(bob)
    expect(await first).toBe('refused')
    const second = refreshIfNeeded(bob)
    await tick()
    expect(refreshed(bob.outbox()[0]?.record)).toEqual(key)
    await relay.exchange(bob)
    expect(await second).toBe(true)
    expect(await refreshIfNeeded(bob)).toBe(false)
    await relay.deliver(ada)
    await relay.during(ada, rotate(ada))
    await insert(ada, 2)
    await relay.settle(ada, bob)
    expect(count(bob)).toBe(2)
  })
})

describe('a space that moves to a protocol this program does not know', () => {
  it('stays readable, takes no writes and says why; so after reopening, and for whoever follows', async () => {
    const { ada, bob, relay, at } = await couple('upgrade')
    await insert(ada, 1)
    await relay.settle(ada, bob)
    const alerts: Alert[] = []
    for (const space of [ada, bob]) space.on('alert', (alert) => alerts.push(alert))
    await ada.commitOps(() => [{ op: 'upgrade', version: 2 }])
    await relay.exchange(ada)
    await relay.deliver(bob)
    expect(alerts.map(({ code, facts }) => [code, facts])).toEqual([1, 2].map(() => ['unsupported-version', { found: 2, known: 1 }]))
    for (const space of [ada, bob]) {
      expect([space.writable, count(space)]).toEqual([false, 1])
      await expect(insert(space, 2)).rejects.toMatchObject({ code: 'read-only', facts: { reason: 'unsupported-version' } })
    }
    // An entry of the new protocol: no verdict, nothing moves.
    const { head } = bob
    await expect(bob.receive(head.size, [new Uint8Array(100).fill(2)], relay.note({ ...head, size: head.size + 1 }))).rejects.toMatchObject({ code: 'unsupported-version' })
    expect(bob.head).toEqual(head)
    await bob.close()
    const again = await openSpace(await at.bob.open(), optionsOf('again'))
    open.push(again)
    const told: Alert[] = []
    again.on('alert', (alert) => told.push(alert))
    await tick()
    expect(told.map(({ code }) => code)).toEqual(['unsupported-version'])
    expect([again.writable, again.head, count(again)]).toEqual([false, head, 1])
    await expect(insert(again, 2)).rejects.toMatchObject({ code: 'read-only', facts: { reason: 'unsupported-version' } })
  })
})

describe('duties of the group', () => {
  it('are looked at when the group changed, not for rows; and are done', async () => {
    const { ada, bob, relay } = await couple('duties')
    const duties = new Duties(bob)
    const check = vi.spyOn(bob.keyring, 'check')
    await duties.afterChange()
    const looked = check.mock.calls.length
    expect(looked).toBeGreaterThan(0)
    for (const key of [1, 2, 3]) await insert(ada, key)
    await insert(bob, 4)
    await relay.settle(ada, bob)
    check.mockClear()
    await duties.afterChange()
    expect(check).not.toHaveBeenCalled()

    await relay.during(ada, forget(ada))
    await relay.deliver(bob)
    expect(pendingForget(bob)).toEqual([bob.me.device])
    await relay.during(bob, duties.afterChange())
    await relay.settle(ada, bob)
    expect(pendingForget(ada)).toEqual([])
    await duties.afterChange() // the refresh was a change; nothing is left
    check.mockClear()
    await duties.afterChange()
    expect(check).not.toHaveBeenCalled()
  })
})
