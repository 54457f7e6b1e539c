/** Two histories under one key, rollbacks, copies of a store, entries that come back: without a network (attacks.md A6–A9, A30, A37). */
import { afterEach, describe, expect, it } from 'vitest'
import { isSealError } from '../../engine/errors.js'
import { invite, rotate } from '../../engine/space/acts.js'
import { audit } from '../../engine/space/audit.js'
import { createSpace, openSpace } from '../../engine/space/open.js'
import type { Space } from '../../engine/space/space.js'
import { memoryStore } from '../../engine/store/memory.js'
import type { Store, StoreLocation } from '../../engine/store/store.js'
import { buildRecord } from '../../engine/space/build.js'
import { decodeDeviceSecrets, NAMES } from '../../engine/space/persist.js'
import { pointerKey } from '../../engine/state/keys.js'
import { decodePointer } from '../../engine/state/roster.js'
import { verifyEvidence } from '../independent/evidence-both.js'
import { createTable, crypto, optionsOf, put, rows, taskTable } from './rim-support.js'
import { NAME, Sequencer } from './sequencer.js'
import { alertsOf, codeOf, codeOfLater } from '../outcomes.js'

const open: Space[] = []
afterEach(async () => { for (const space of open.splice(0)) await space.close() })
const keep = <T extends Space>(space: T): T => {
  open.push(space)
  return space
}
const bodies = (space: Space): string[] => [...space.current.rows(1)].map((row) => new TextDecoder().decode((row as { body: Uint8Array }).body))
const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function couple(seed: string): Promise<{ ada: Space; bob: Space; relay: Sequencer; at: Record<'ada' | 'bob', StoreLocation> }> {
  const at = { ada: memoryStore(), bob: memoryStore() }
  const ada = keep(await createSpace(await at.ada.open(), optionsOf(`${seed} ada`), { name: 'Ada' }))
  await ada.commit(createTable(taskTable(1), 'table:task'), ada.current)
  const relay = await Sequencer.attach(ada)
  const link = await relay.during(ada, invite(ada, { role: 'writer' }))
  const bob = keep(await relay.join(at.bob, link, `${seed} bob`))
  await relay.settle(ada, bob)
  return { ada, bob, relay, at }
}
const insert = (space: Space, key: number, body: string, replay?: Uint8Array): ReturnType<Space['commit']> =>
  space.commit({ ...rows(put('insert', 1, BigInt(key), 0n, body)), ...(replay && { replay }) }, space.current)

async function storeCopy(from: Store): Promise<StoreLocation> {
  const location = memoryStore()
  const copy = await location.open()
  const names = from.names('')
  await copy.commit({ at: 0, append: await from.read(0, from.size), put: names.map((name) => [name, from.get(name) as Uint8Array] as const) })
  await copy.close()
  return location
}

describe('a fork by the relay', () => {
  for (const [mine, theirs] of [[1, 1], [1, 3], [3, 1], [2, 2]] as const) {
    it(`${mine} entries here, ${theirs} there: evidence that verifies offline, no more writes, reads go on, also after reopening`, async () => {
      const { ada, bob, relay, at } = await couple(`fork ${mine} ${theirs}`)
      const other = relay.copy()
      for (let i = 0; i < mine; i++) await insert(ada, i, `ada ${i}`)
      for (let i = 0; i < theirs; i++) await insert(bob, 100 + i, `bob ${i}`)
      await relay.settle(ada)
      await other.settle(bob)
      const alerts = alertsOf(ada)
      const [small, large, note] = theirs > mine ? [ada, bob, relay.note()] : [bob, ada, other.note()]
      // Who has the larger head can prove it; who has the smaller one is shown the evidence.
      expect(await large.observe(note)).toBe('fork')
      const [evidence] = large.evidence
      const fork = verifyEvidence(crypto, evidence as Uint8Array)
      expect(fork.spaceId).toEqual(ada.id)
      expect(await small.observeEvidence(evidence as Uint8Array)).toBe(true)
      expect(await small.observeEvidence(evidence as Uint8Array)).toBe(false)
      for (const space of [ada, bob]) {
        expect(space.writable).toBe(false)
        expect(await codeOfLater(insert(space, 500, 'more'))).toBe('read-only')
        expect(bodies(space)).toHaveLength(space === ada ? mine : theirs)
      }
      expect(alerts.map(({ code }) => code)).toEqual(['fork'])
      // Nothing is followed any more, and nothing of it is kept.
      const { head } = ada
      await relay.deliver(ada)
      expect(ada.head).toEqual(head)
      await ada.close()
      const again = keep(await openSpace(await at.ada.open(), optionsOf('again')))
      const told = alertsOf(again)
      await tick()
      expect(told.map(({ code, evidence: attached }) => [code, attached])).toEqual([['fork', evidence]])
      expect([again.writable, bodies(again).length]).toEqual([false, mine])
      expect((await audit(again.store, crypto)).problems).toEqual([])
    })
  }

  it('evidence with any byte changed proves nothing, or the same', async () => {
    const { ada, bob, relay } = await couple('mutated')
    const other = relay.copy()
    await insert(ada, 1, 'here')
    await insert(bob, 2, 'there')
    await relay.settle(ada)
    await other.settle(bob)
    expect(await ada.observe(other.note())).toBe('fork')
    const evidence = ada.evidence[0] as Uint8Array
    let survived = 0
    for (let at = 0; at < evidence.length; at++) {
      for (const mask of [1, 0x80, 0xff]) {
        const changed = evidence.slice()
        changed[at] = (changed[at] as number) ^ mask
        try {
          verifyEvidence(crypto, changed)
          survived++
        } catch (error) {
          if (!isSealError(error)) throw error
        }
      }
    }
    expect(survived).toBe(0)
    for (const length of [0, 1, evidence.length - 1]) expect(codeOf(() => verifyEvidence(crypto, evidence.slice(0, length)))).toBe('bad-encoding')
    // Of another space, or against another relay: it stops nothing.
    const eve = await createSpace(await memoryStore().open(), optionsOf('eve'))
    await Sequencer.attach(keep(eve), new Uint8Array(32).fill(9))
    expect(await eve.observeEvidence(evidence)).toBe(false)
    expect(eve.writable).toBe(true)
  })

  it('a larger head of another history, with the relay’s own proof of what it has at our size: evidence, whatever that size', async () => {
    for (let more = 0; more < 4; more++) { // a power of two among the sizes, where the proof leaves the smaller root out
      const { ada, bob, relay } = await couple(`larger ${more}`)
      const other = relay.copy()
      for (let i = 0; i <= more; i++) await insert(ada, i, `ada ${i}`)
      for (let i = 0; i < more + 3; i++) await insert(bob, 100 + i, `bob ${i}`)
      await relay.settle(ada)
      await other.settle(bob)
      const claim = { root: other.follower.log.root(ada.head.size), proof: other.follower.log.consistencyProof(ada.head.size, other.head.size) }
      expect(await codeOfLater(ada.observe(other.note(), { ...claim, root: ada.head.logRoot }))).toBe('fork')
      expect([ada.writable, ada.evidence.length]).toEqual([true, 0])
      expect(await ada.observe(other.note(), claim)).toBe('fork')
      expect(verifyEvidence(crypto, ada.evidence[0] as Uint8Array)).toMatchObject({ spaceId: ada.id, sizes: [ada.head.size, other.head.size] })
      expect(ada.writable).toBe(false)
      expect(await bob.observeEvidence(ada.evidence[0] as Uint8Array)).toBe(true)
    }
  })

  it('two notes that agree are no evidence, nor is one of another key or size', async () => {
    const { ada, bob, relay } = await couple('agree')
    const old = relay.note()
    await insert(ada, 1, 'x')
    await relay.settle(ada, bob)
    expect(await ada.observe(relay.note())).toBe('same')
    expect(await ada.observe(old)).toBe('behind')
    await insert(bob, 2, 'y')
    await relay.settle(bob)
    expect(await ada.observe(relay.note())).toBe('unknown')
    const proof = relay.follower.log.consistencyProof(ada.head.size, relay.head.size)
    const root = ada.head.logRoot
    expect(await ada.observe(relay.note(), { root, proof })).toBe('ahead')
    expect(await codeOfLater(ada.observe(relay.note(), { root, proof: proof.slice(1) }))).toBe('fork')
    expect(await codeOfLater(ada.observe(relay.note(), { root: root.map((byte) => byte ^ 1), proof }))).toBe('fork')
    expect(await codeOfLater(ada.observe(new Sequencer(relay.records, new Uint8Array(32).fill(8)).note()))).toBe('bad-signature')
    expect([ada.writable, ada.evidence.length]).toEqual([true, 0])
  })

  it('a relay that the space has left signs for no more than the entry by which it left', async () => {
    const { ada, bob, relay } = await couple('left')
    const next = new Uint8Array(32).fill(9)
    await ada.commitOps(() => [{ op: 'relay', relay: { url: 'memory:', name: NAME, publicKey: crypto.signer(next).publicKey } }])
    await insert(ada, 1, 'after')
    const [move, after] = ada.outbox().map(({ record }) => record) as [Uint8Array, Uint8Array]
    const { head } = bob
    expect(relay.take(move)).toEqual({ kind: 'applied' })
    const left = relay.note()
    const goesOn = relay.copy()
    expect(goesOn.take(after)).toEqual({ kind: 'applied' })
    expect(await codeOfLater(bob.receive(head.size, [move, after], goesOn.note()))).toBe('bad-checkpoint')
    expect([bob.head, bob.store.size]).toEqual([head, head.size])
    await bob.receive(head.size, [move], left)
    expect([bob.relay?.publicKey, bob.note]).toEqual([crypto.signer(next).publicKey, undefined])
    expect(await codeOfLater(bob.receive(head.size + 1, [after], goesOn.note()))).toBe('bad-signature')
    const there = new Sequencer([...relay.records, after], next)
    await there.deliver(bob)
    expect([bodies(bob), bob.note]).toEqual([['after'], there.note()])
  })

  it('entries that lead elsewhere than the note says leave nothing behind', async () => {
    const { ada, bob, relay } = await couple('elsewhere')
    await insert(bob, 1, 'one')
    await insert(bob, 2, 'two')
    await relay.settle(bob)
    const { head } = ada
    const { versions } = ada.stats
    const from = head.size
    const records = relay.records.slice(from)
    const swapped = [...records].reverse()
    for (const [wrong, note] of [[records.slice(0, -1), relay.note()], [swapped, relay.note()], [records, relay.note({ ...relay.head, stateRoot: new Uint8Array(32) })], [records, relay.note({ ...relay.head, logRoot: new Uint8Array(32) })], [[...records, records[0] as Uint8Array], relay.note()]] as const) {
      expect(await codeOfLater(ada.receive(from, wrong, note))).toBe('bad-checkpoint')
      expect(ada.head).toEqual(head)
      expect(ada.store.size).toBe(head.size)
    }
    expect(await codeOfLater(ada.receive(from + 1, records, relay.note()))).toBe('bad-argument')
    expect(ada.stats.versions).toBe(versions)
    await relay.deliver(ada)
    expect(bodies(ada)).toEqual(['one', 'two'])
  })
})

describe('devices', () => {
  it('a copied store used in two places: told, and the second entry is ignored', async () => {
    const { ada, bob, relay } = await couple('copied')
    const copy = keep(await openSpace(await (await storeCopy(bob.store)).open(), optionsOf('thief')))
    await insert(bob, 1, 'from the one')
    await insert(copy, 2, 'from the copy')
    const [stale] = copy.outbox()
    await relay.settle(bob)
    // A relay that stores whatever comes: everybody ignores it.
    expect(relay.take(stale?.record as Uint8Array, true)).toEqual({ kind: 'ignored', code: 'device-prev' })
    const alerts = alertsOf(copy)
    const retries: unknown[] = []
    copy.on('retry', ({ verdict }) => retries.push(verdict))
    await relay.deliver(copy)
    expect(alerts.map(({ code }) => code)).toEqual(['copied-store'])
    expect(retries).toEqual([{ kind: 'ignored', code: 'device-prev' }])
    for (const space of [ada, bob]) await relay.deliver(space)
    expect([bodies(ada), bodies(bob), bodies(copy)]).toEqual([['from the one'], ['from the one'], ['from the one']])
    expect(ada.writable).toBe(true)
  })

  it('two entries with one devicePrev are a verdict: the first counts, nobody is alarmed', async () => {
    const { ada, bob, relay } = await couple('twice')
    const { signingSeed } = decodeDeviceSecrets(bob.store.get(NAMES.device) as Uint8Array)
    const by = {
      signer: crypto.signer(signingSeed), base: bob.head, device: bob.me.device, epoch: 1, time: 0,
      devicePrev: decodePointer(bob.currentState.get(pointerKey(bob.me.device)) as Uint8Array).hash,
    }
    const entries = [1, 2].map((n) => buildRecord(bob.env, by, [{ op: 'delete', table: n, rowKey: new Uint8Array(1) }]))
    for (const entry of entries) relay.take(entry, true)
    expect(relay.verdicts.slice(-2)).toMatchObject([{ kind: 'rejected' }, { kind: 'ignored', code: 'device-prev' }])
    const alerts = alertsOf(ada)
    await relay.deliver(ada)
    expect([alerts, ada.writable]).toEqual([[], true])
  })

  it('a bad signature in the log splits nobody: live, reopened, AS OF', async () => {
    const { ada, bob, relay, at } = await couple('unsigned')
    await insert(bob, 1, 'good')
    const [item] = bob.outbox()
    const forged = (item?.record as Uint8Array).slice()
    forged[forged.length - 1] = (forged[forged.length - 1] as number) ^ 1
    expect(relay.take(forged, true)).toEqual({ kind: 'ignored', code: 'signature' })
    await relay.settle(bob, ada)
    await insert(ada, 2, 'after')
    await relay.settle(ada, bob)
    const { head } = ada
    await ada.close()
    const again = keep(await openSpace(await at.ada.open(), optionsOf('ada again')))
    expect(again.head).toEqual(head)
    for (const space of [again, bob]) {
      for (let size = 1; size <= head.size; size++) {
        const view = await space.at(size)
        expect(view.head.stateRoot).toEqual(relay.copy(size).head.stateRoot)
        view.release()
      }
    }
    expect((await audit(again.store, crypto))).toMatchObject({ ignored: { signature: 1 }, problems: [] })
  })
})

describe('writes that were refused', () => {
  const replay = (n: number): Uint8Array => Uint8Array.of(1, n)

  it('are told again after a restart until they were executed again, and then no more', async () => {
    const { ada, bob, relay, at } = await couple('refused')
    await insert(ada, 1, 'taken')
    const lost = await insert(bob, 1, 'also mine', replay(1))
    const after = await insert(bob, 2, 'and this', replay(2))
    await relay.settle(ada)
    await relay.exchange(bob) // the relay refuses both; what ada wrote makes them impossible here
    expect(await lost.settled).toMatchObject({ kind: 'rejected', verdict: { code: 'conflict' } })
    expect(await after.settled).toMatchObject({ kind: 'rejected', verdict: { code: 'conflict', detail: 'present' } })
    expect(bob.outbox()).toEqual([])
    await bob.close()
    const again = keep(await openSpace(await at.bob.open(), optionsOf('bob again')))
    const told: (Uint8Array | undefined)[] = []
    const hashes: Uint8Array[] = []
    again.on('retry', (detail) => {
      told.push(detail.replay)
      hashes.push(detail.hash)
    })
    await tick()
    expect(told).toEqual([replay(1), replay(2)])
    await again.retried(hashes[0] as Uint8Array)
    await insert(again, 2, 'and this', replay(2))
    await relay.settle(again, ada)
    await again.close()
    const third = keep(await openSpace(await at.bob.open(), optionsOf('bob, third')))
    third.on('retry', (detail) => told.push(detail.replay))
    await tick()
    expect(told).toHaveLength(2)
    expect([bodies(third), bodies(ada)]).toEqual([['taken', 'and this'], ['taken', 'and this']])
    expect(third.store.names(NAMES.refused)).toEqual([])
  })

  it('one that lands after all takes the place of what was written instead: nothing is done twice, nobody is alarmed', async () => {
    for (const reopen of [false, true]) {
      const { ada, bob, relay, at } = await couple(`revived ${reopen}`)
      let retries: unknown[] = []
      bob.on('retry', (detail) => retries.push(detail))
      await insert(ada, 7, 'in the way')
      await relay.settle(ada)
      await insert(bob, 7, 'bob’s seven', replay(7))
      const [sent] = bob.outbox()
      await relay.deliver(bob) // refused here, though it is on its way
      expect(retries).toHaveLength(1)
      retries = []
      await insert(bob, 8, 'bob’s seven, now eight', replay(7))
      let space = bob
      if (reopen) {
        await bob.close()
        space = keep(await openSpace(await at.bob.open(), optionsOf('bob again')))
      }
      // At the relay, the row that was in the way goes first.
      await ada.commit(rows({ kind: 'delete', table: 1, key: [7n] }), ada.current)
      await relay.settle(ada)
      expect(relay.take(sent?.record as Uint8Array)).toEqual({ kind: 'applied' })
      const alerts = alertsOf(space)
      if (reopen) space.on('retry', (detail) => retries.push(detail))
      await relay.deliver(space)
      await relay.settle(space, ada)
      expect([bodies(space), bodies(ada)]).toEqual([['bob’s seven'], ['bob’s seven']])
      expect([alerts, retries, space.store.names('secret/refused/'), space.store.names('secret/outbox/')]).toEqual([[], [], [], []])
    }
  })

  it('an act of the group that another one overtakes ends in an error, not in waiting', async () => {
    const { ada, bob, relay } = await couple('overtaken')
    const mine = rotate(bob)
    const outcome = codeOfLater(mine)
    await tick()
    expect(bob.outbox()).toHaveLength(1)
    await relay.during(ada, rotate(ada))
    await relay.deliver(bob)
    expect(await outcome).toBe('rejected')
    expect(bob.outbox()).toEqual([])
    await insert(bob, 1, 'under the epoch that came to be')
    await relay.settle(bob, ada)
    expect(bodies(ada)).toEqual(['under the epoch that came to be'])
  })
})
