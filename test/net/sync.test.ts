/** Several people, one relay: writing, joining, offline work, conflicts, removal. Real relay, real crypto, in-memory connections. */
import { afterEach, describe, expect, it } from 'vitest'
import { invite, remove } from '../../engine/space/acts.js'
import { openSpace } from '../../engine/space/open.js'
import { createTable, optionsOf, put, rows, taskTable } from '../space/rim-support.js'
import { bodies, founder, invited, joiner, startSync, stopAll, testRelay, until, type TestPeer } from './support.js'

const peers: TestPeer[] = []
const keep = (peer: TestPeer): TestPeer => {
  peers.push(peer)
  return peer
}
afterEach(() => stopAll(peers))

const inStep = (...some: readonly TestPeer[]): (() => boolean) => () =>
  some.every(({ space }) => space.outbox().length === 0 && Buffer.compare(space.head.stateRoot, (some[0] as TestPeer).space.head.stateRoot) === 0)

describe('spaces over a relay', () => {
  it('two members write and see each other’s rows', async () => {
    const relay = await testRelay()
    const ada = keep(await founder(relay, 'Ada'))
    await (await ada.space.commit(createTable(taskTable(1), 'table:task'), ada.space.current)).settled
    await ada.space.commit(rows(put('insert', 1, 1n, 0n, 'from Ada')), ada.space.current)
    const bob = keep(await invited(relay, ada, 'Bob'))
    expect(bob.space.me).toEqual({ member: 2, device: 2, role: 'writer' })
    expect(bodies(bob.space.current, 1)).toEqual(['from Ada'])
    const committed = await bob.space.commit(rows(put('insert', 1, 2n, 0n, 'from Bob')), bob.space.current)
    expect(bodies(bob.space.current, 1)).toEqual(['from Ada', 'from Bob'])
    expect((await committed.settled).kind).toBe('relay')
    await until(inStep(ada, bob), 'in step')
    expect(bodies(ada.space.verified, 1)).toEqual(['from Ada', 'from Bob'])
    expect(ada.space.current.members()).toMatchObject([{ name: 'Ada' }, { name: 'Bob', role: 'writer' }])
  })

  it('works offline, keeps the queue across a restart, and merges', async () => {
    const relay = await testRelay()
    const ada = keep(await founder(relay, 'Ada'))
    await ada.space.commit(createTable(taskTable(1), 'table:task'), ada.space.current)
    const bob = await invited(relay, ada, 'Bob')
    await bob.sync.stop()
    for (let i = 0; i < 5; i++) await bob.space.commit(rows(put('insert', 1, BigInt(100 + i), 0n, `offline ${i}`)), bob.space.current)
    await ada.space.commit(rows(put('insert', 1, 1n, 0n, 'meanwhile')), ada.space.current)
    await bob.space.close()
    const space = await openSpace(await bob.location.open(), optionsOf('Bob again'))
    expect(space.outbox()).toHaveLength(5)
    expect(bodies(space.current, 1)).toHaveLength(5)
    const again = keep({ space, sync: startSync(space, relay.dial, 'Bob again'), location: bob.location })
    await until(inStep(ada, again), 'in step')
    expect(bodies(ada.space.verified, 1)).toHaveLength(6)
  })

  it('a lost race is rejected at one, told to it, and nobody loses an update', async () => {
    const relay = await testRelay()
    const ada = keep(await founder(relay, 'Ada'))
    await ada.space.commit(createTable(taskTable(1), 'table:task'), ada.space.current)
    await ada.space.commit(rows(put('insert', 1, 1n, 0n, 'start')), ada.space.current)
    const bob = keep(await invited(relay, ada, 'Bob'))
    await until(inStep(ada, bob), 'in step')
    await bob.sync.stop()
    const retries: unknown[] = []
    bob.space.on('retry', (detail) => retries.push(detail.verdict))
    await bob.space.commit(rows(put('update', 1, 1n, 0n, 'Bob was here')), bob.space.current)
    await (await ada.space.commit(rows(put('update', 1, 1n, 0n, 'Ada was here')), ada.space.current)).settled
    bob.sync.start()
    await until(() => retries.length === 1, 'retry')
    expect(retries[0]).toMatchObject({ kind: 'rejected', code: 'conflict' })
    await until(inStep(ada, bob), 'in step')
    expect(bodies(bob.space.current, 1)).toEqual(['Ada was here'])
  })

  it('a removed member gets nothing more; the others go on', async () => {
    const relay = await testRelay()
    const ada = keep(await founder(relay, 'Ada'))
    await ada.space.commit(createTable(taskTable(1), 'table:task'), ada.space.current)
    const bob = keep(await invited(relay, ada, 'Bob'))
    const eve = keep(await invited(relay, ada, 'Eve'))
    await remove(ada.space, { members: [eve.space.me.member] })
    await (await ada.space.commit(rows(put('insert', 1, 1n, 0n, 'without Eve')), ada.space.current)).settled
    await until(inStep(ada, bob), 'in step')
    expect(bodies(bob.space.current, 1)).toEqual(['without Eve'])
    expect(eve.space.head.size).toBeLessThan(ada.space.head.size)
    expect(() => eve.space.keyring.dataSecret(2)).toThrow(expect.objectContaining({ code: 'no-secret', facts: { what: 'epoch', number: 2 } }) as Error)
  })

  it('a used-up link admits nobody', async () => {
    const relay = await testRelay()
    const ada = keep(await founder(relay, 'Ada'))
    const link = await invite(ada.space, { role: 'writer' })
    keep(await joiner(relay, link, 'Bob'))
    await expect(joiner(relay, link, 'Eve')).rejects.toMatchObject({ family: 'refused' })
  })
})
