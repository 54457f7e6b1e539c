/**
 * A relay restored from an old backup, which has gone on without what it lost (PROTOCOL.md §9.3, attacks.md A6, 38): the ceremony, not a brick. An admin
 * accepts it, everybody goes over, what was written is written again, and nobody who was shut out gets in that way.
 */
import { afterEach, describe, expect, it } from 'vitest'
import { isSealError } from '../../engine/errors.js'
import { acceptRollback, remove, rotate } from '../../engine/space/acts.js'
import { audit } from '../../engine/space/audit.js'
import { encodeDeviceEvidence, verifyDeviceEvidence } from '../../engine/space/device-evidence.js'
import { decodeRecord } from '../../engine/space/entry.js'
import { openSpace } from '../../engine/space/open.js'
import type { AcceptRollbackOp } from '../../engine/space/ops/rollback.js'
import { decodeDeviceSecrets, NAMES } from '../../engine/space/persist.js'
import type { Alert } from '../../engine/space/port.js'
import type { StoreLocation } from '../../engine/store/store.js'
import { crypto, optionsOf, put, rows } from './rim-support.js'
import { bodies, branchFor, closeAll, crew, insert, open, rolledBack } from './rollback-support.js'
import { Sequencer } from './sequencer.js'
import { codeOfLater } from '../outcomes.js'

afterEach(closeAll)

describe('a relay that lost entries and went on', () => {
  it('is accepted by an admin, and everybody goes on with everything that was written', async () => {
    const { ada, bob, carl, now, at } = await rolledBack('ceremony')
    for (const space of [ada, bob]) {
      await now.deliver(space)
      expect([space.writable, space.evidence.length]).toEqual([false, 1])
      // Nobody has accepted anything yet.
      expect(await codeOfLater(space.resume(await branchFor(now, space)))).toBe('fork')
      expect(bodies(space)).toContain('bob, lost')
    }
    // carl hears of the fork from the others, too.
    expect(await carl.observeEvidence(ada.evidence[0] as Uint8Array)).toBe(true)
    expect(carl.writable).toBe(false)

    const alerts: Alert[] = []
    ada.on('alert', (alert) => alerts.push(alert))
    const common = (await branchFor(now, ada)).from
    const lost = ada.head.size - common
    expect(await now.during(ada, acceptRollback(ada, await branchFor(now, ada)))).toEqual({ lost, again: 3, givenUp: 0 })
    expect([ada.writable, ada.evidence.length, ada.outbox().length]).toEqual([true, 0, 0])
    expect(alerts.at(-1)).toMatchObject({ code: 'rollback', facts: { lost, again: 3, givenUp: 0 } })
    expect(bodies(ada)).toEqual(['ada, lost', 'ada, lost too', 'carl, kept', 'changed'])

    expect(await bob.resume(await branchFor(now, bob))).toEqual({ lost: lost - 1, again: 1, givenUp: 0 })
    expect(await carl.resume(await branchFor(now, carl))).toEqual({ lost: 0, again: 0, givenUp: 0 })
    await insert(carl, 31, 'carl, after')
    await now.settle(ada, bob, carl)
    const everything = ['ada, lost', 'ada, lost too', 'bob, lost', 'carl, after', 'carl, kept', 'changed']
    for (const space of [ada, bob, carl]) {
      expect(bodies(space)).toEqual(everything)
      expect([space.writable, space.head]).toEqual([true, now.head])
      expect((await audit(space.store, crypto)).problems).toEqual([])
      for (let size = space === ada ? 1 : space.head.size; size <= space.head.size; size++) {
        const view = await space.at(size)
        expect(view.head.stateRoot).toEqual(now.copy(size).head.stateRoot)
        view.release()
      }
      expect(space.stats.versions).toBeLessThanOrEqual(3)
      await space.close()
      const again = await openSpace(await (at.get(space) as StoreLocation).open(), optionsOf('again'))
      open.push(again)
      expect([again.writable, again.head, bodies(again)]).toEqual([true, now.head, everything])
    }
  })

  it('what conflicts with what is there now is told, not written; acts of the group are for a person', async () => {
    const { relay, ada, carl } = await crew('conflict')
    const now = relay.copy()
    await insert(ada, 5, 'ada’s five')
    await insert(ada, 6, 'ada’s six')
    await ada.commit(rows(put('update', 1, 1n, 1n, 'ada’s one')), ada.current)
    await relay.settle(ada)
    await relay.during(ada, rotate(ada))
    await insert(ada, 7, 'under the epoch that was lost')
    await relay.settle(ada)
    await insert(carl, 5, 'carl’s five')
    await carl.commit(rows(put('update', 1, 1n, 1n, 'carl’s one')), carl.current)
    await now.settle(carl)
    const told: unknown[] = []
    ada.on('retry', ({ verdict, replay }) => told.push([verdict, replay]))
    expect(await now.during(ada, acceptRollback(ada, await branchFor(now, ada)))).toMatchObject({ again: 1, givenUp: 4 })
    await now.settle(ada, carl)
    expect(told).toMatchObject([
      [{ code: 'conflict', detail: 'present' }, undefined], [{ code: 'conflict', detail: 'row-version' }, undefined],
      [{ code: 'conflict', detail: 'rollback' }, undefined], [{ code: 'epoch' }, undefined],
    ])
    expect(bodies(ada)).toEqual(['ada’s six', 'carl’s five', 'carl’s one'])
    expect(bodies(carl)).toEqual(bodies(ada))
  })

  it('what is in the outbox goes to whoever can execute it again', async () => {
    const { ada, bob, now } = await rolledBack('outbox')
    await now.deliver(ada)
    await bob.commit({ ...rows(put('insert', 1, 40n, 0n, 'bob, not sent')), replay: Uint8Array.of(4) }, bob.current)
    await now.deliver(bob)
    await now.during(ada, acceptRollback(ada, await branchFor(now, ada)))
    const told: (Uint8Array | undefined)[] = []
    bob.on('retry', ({ replay }) => told.push(replay))
    expect(await bob.resume(await branchFor(now, bob))).toMatchObject({ again: 1, givenUp: 0 })
    expect(told).toEqual([Uint8Array.of(4)])
    await bob.commit({ ...rows(put('insert', 1, 40n, 0n, 'bob, not sent')), replay: Uint8Array.of(4) }, bob.current)
    // Two may have seen the acceptance at once. Whoever is not stuck keeps what is pending.
    const pending = bob.outbox().map(({ hash }) => hash)
    expect(pending).toHaveLength(2)
    expect(await bob.resume(await branchFor(now, bob))).toEqual({ lost: 0, again: 0, givenUp: 0 })
    expect([bob.outbox().map(({ hash }) => hash), told.length]).toEqual([pending, 1])
    await now.settle(bob, ada)
    expect(bodies(ada)).toContain('bob, not sent')
    expect(bob.store.names('secret/refused/')).toEqual([])
  })

  it('a second fork afterwards is evidence like the first; what was settled stays settled', async () => {
    const { relay, ada, bob, now } = await rolledBack('second')
    await now.deliver(ada)
    const [old] = ada.evidence as [Uint8Array]
    const lostNote = relay.note()
    await now.during(ada, acceptRollback(ada, await branchFor(now, ada)))
    // By now the relay has more than bob: no evidence yet, only records that lead elsewhere.
    expect(await codeOfLater(now.deliver(bob))).toBe('bad-checkpoint')
    await bob.resume(await branchFor(now, bob))
    expect(await bob.observeEvidence(old)).toBe(false)
    expect(await bob.observe(lostNote)).toBe('behind')
    expect([bob.writable, bob.evidence.length]).toEqual([true, 0])
    const third = now.copy()
    for (let i = 0; i < 3; i++) await insert(ada, 50 + i, 'here')
    await now.settle(ada)
    await bob.commit(rows(put('insert', 1, 60n, 0n, 'there')), bob.current)
    await third.settle(bob)
    // What ada had signed on the lost branch is nothing to hold against her device.
    const [lostRecord, record] = [relay.records.at(-1), now.records.at(-1)] as [Uint8Array, Uint8Array]
    const [lostBase, base] = [lostRecord, record].map((bytes) => {
      const decoded = decodeRecord(bytes)
      if (decoded.kind !== 'entry' || decoded.entry.device !== ada.me.device) throw new Error('not hers')
      return decoded.entry.base.size
    }) as [number, number]
    const { publicKey } = crypto.signer(decodeDeviceSecrets(ada.store.get(NAMES.device) as Uint8Array).signingSeed)
    const blame = encodeDeviceEvidence({ spaceId: ada.id, device: ada.me.device, publicKey, smaller: lostRecord, larger: record, root: ada.log.root(lostBase), proof: ada.log.consistencyProof(lostBase, base) })
    expect(verifyDeviceEvidence(crypto, blame)).toMatchObject({ device: ada.me.device })
    expect(await bob.observeEvidence(blame)).toBe(false)
    expect(await ada.observe(third.note())).toBe('fork')
    expect([ada.writable, ada.evidence.length]).toEqual([false, 1])
  })
})

describe('an acceptance that does not count', () => {
  it('by a writer; with nothing lost; or for a history that is not signed', async () => {
    const { ada, bob, now } = await rolledBack('who')
    await now.deliver(bob)
    const before = bob.head
    await expect(bob.acceptRollback(await branchFor(now, bob))).rejects.toMatchObject({ code: 'rejected', facts: { code: 'role' } })
    expect([bob.head, bob.evidence.length, bob.writable]).toEqual([before, 1, false])
    const branch = await branchFor(now, ada)
    expect(await codeOfLater(ada.acceptRollback({ ...branch, records: branch.records.slice(1) }))).toBe('bad-checkpoint')
    expect(await codeOfLater(ada.acceptRollback({ ...branch, from: 0 }))).toBe('bad-argument')
    const forger = new Sequencer(now.records, new Uint8Array(32).fill(8))
    expect(await codeOfLater(ada.acceptRollback({ ...branch, note: forger.note() }))).toBe('bad-signature')
    expect(await codeOfLater(ada.acceptRollback({ ...branch, note: now.note({ ...now.head, stateRoot: new Uint8Array(32) }) }))).toBe('bad-checkpoint')
    const same = now.copy(branch.from)
    expect(await codeOfLater(ada.acceptRollback(await branchFor(same, ada)))).toBe('bad-argument')
    expect(ada.writable).toBe(true)
  })

  it('by somebody who was removed on the lost branch: the removal is not undone behind anybody’s back', async () => {
    const { relay, ada, bob, carl, dora } = await crew('removed')
    const now = relay.copy()
    await insert(dora, 60, 'dora’s')
    await relay.settle(dora, ada, bob)
    await relay.during(ada, remove(ada, { members: [dora.me.member] }))
    await relay.settle(ada, bob)
    // dora and the relay agree that this never happened: what she had written comes back, and something else.
    await insert(carl, 61, 'something else')
    await now.settle(carl)
    await relay.deliver(dora)
    expect(dora.me.role).toBeUndefined()
    await now.during(dora, acceptRollback(dora, await branchFor(now, dora)))
    for (const space of [ada, bob]) {
      const { head } = space
      expect(await codeOfLater(space.resume(await branchFor(now, space)))).toBe('fork')
      expect([space.head, bodies(space)]).toEqual([head, ['before', 'dora’s']])
    }
  })

  it('with any part of it other than it should be: rejected, and nothing is recorded', async () => {
    const { ada, now } = await rolledBack('parts')
    const { committed } = await ada.acceptRollback(await branchFor(now, ada))
    const record = ada.outbox()[0] as { record: Uint8Array }
    const decoded = decodeRecord(record.record)
    const op = decoded.kind === 'entry' && decoded.entry.ops.at(0)
    if (!op || op.op !== 'rollback.accept') throw new Error('no acceptance')
    const other = await rolledBack('parts of another')
    await other.now.deliver(other.ada)
    const evidence = other.ada.evidence[0] as Uint8Array
    const base = ada.head
    const attempt = async (change: Partial<AcceptRollbackOp>): Promise<unknown> => {
      const before = ada.current.head
      const outcome = await ada.commitOps(() => [{ ...op, ...change }]).then(() => 'done', (error: unknown) => (isSealError(error, 'rejected') ? `${String(error.facts.code)} ${String(error.facts.detail)}` : error))
      expect(ada.current.head).toEqual(before)
      return outcome
    }
    const flip = (bytes: Uint8Array, at: number): Uint8Array => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte))
    expect(await attempt({ evidence: flip(op.evidence, 300) })).toBe('rule evidence')
    expect(await attempt({ evidence: Uint8Array.of(2, ...op.evidence.subarray(1)) })).toBe('rule evidence')
    expect(await attempt({ evidence: op.evidence.subarray(0, 200) })).toBe('rule evidence')
    expect(await attempt({ evidence })).toBe('rule relay')
    expect(await attempt({ lostIsLarger: !op.lostIsLarger })).toBe('rule lost-branch')
    expect(await attempt({ leaves: op.leaves.slice(1) })).toBe('rule lost-branch')
    expect(await attempt({ leaves: [...op.leaves.slice(0, -1), new Uint8Array(32)] })).toBe('rule lost-branch')
    expect(await attempt({ common: { size: 0, peaks: [] } })).toBe('rule lost-branch')
    expect(await attempt({ common: { ...op.common, peaks: op.common.peaks.map(() => new Uint8Array(32)) } })).toBe('rule lost-branch')
    expect(await attempt({})).toBe('conflict repeated')
    await now.exchange(ada)
    expect(await committed.settled).toMatchObject({ kind: 'relay' })
    expect(ada.head.size).toBeGreaterThan(base.size)
    expect(await attempt({})).toBe('conflict kept-head')
  })
})
