/**
 * Acceptances of a rollback by whoever may not, of what was not lost, with evidence of another kind (PROTOCOL.md §9.3): the entries are signed, the
 * relay plays along, and nothing changes for whoever was to be won over.
 */
import { afterEach, describe, expect, it } from 'vitest'
import { isSealError } from '../../engine/errors.js'
import { checkpointSigner, formatStateLine, originOfSpace, signCheckpoint } from '../../engine/log/checkpoint.js'
import { acceptRollback, invite, setRole } from '../../engine/space/acts.js'
import { encodeEvidence } from '../../engine/space/evidence.js'
import type { AcceptRollbackOp } from '../../engine/space/ops/rollback.js'
import type { Space } from '../../engine/space/space.js'
import type { Head } from '../../engine/space/types.js'
import { memoryStore } from '../../engine/store/memory.js'
import { codeOfLater } from '../outcomes.js'
import { crypto } from './rim-support.js'
import { bodies, branchFor, closeAll, crew, insert, open, rolledBack } from './rollback-support.js'
import { NAME, Sequencer } from './sequencer.js'

afterEach(closeAll)

/** What a space says of itself: it must be the same afterwards. */
const stateOf = (space: Space): unknown => [space.head, space.current.head.stateRoot, bodies(space), space.writable, space.evidence.length, space.outbox().length]

async function staysStuck(space: Space, now: Sequencer): Promise<void> {
  const before = stateOf(space)
  expect(await codeOfLater(space.resume(await branchFor(now, space)))).toBe('fork')
  expect(stateOf(space)).toEqual(before)
}

describe('a history that accepts in somebody’s name', () => {
  it('by a writer whom it has made admin after the fork: he was none in the history verified here', async () => {
    const { relay, ada, bob, carl, dora } = await crew('promoted')
    await relay.during(ada, setRole(ada, dora.me.member, 'owner'))
    await relay.settle(ada, bob, carl, dora)
    const now = relay.copy()
    await insert(ada, 10, 'ada, lost')
    await insert(carl, 11, 'carl, lost')
    await relay.settle(ada, carl, bob)
    await now.during(dora, setRole(dora, carl.me.member, 'admin'))
    expect(await now.during(carl, acceptRollback(carl, await branchFor(now, carl)))).toMatchObject({ lost: 2 })
    expect(carl.me.role).toBe('admin')
    for (const space of [ada, bob]) await staysStuck(space, now)
  })

  it('by a device that it has admitted after the fork, under the number of an admin’s on the lost branch', async () => {
    const { relay, ada, bob, carl, dora } = await crew('admitted')
    await relay.during(ada, setRole(ada, dora.me.member, 'owner'))
    await relay.settle(ada, bob, carl, dora)
    const now = relay.copy()
    const [eve, mallory] = [await admit(relay, ada, 'eve'), await admit(now, dora, 'mallory')]
    await relay.settle(ada, bob, eve)
    await now.settle(dora, mallory)
    expect([mallory.me.device, mallory.me.member]).toEqual([eve.me.device, eve.me.member])
    await write(now, mallory, acceptanceOf(ada, now, relay.copy().head.size - 2))
    for (const space of [ada, bob]) await staysStuck(space, now)
  })

  it('of another lost branch than the one verified here', async () => {
    const { relay, ada, bob, carl, dora } = await crew('another')
    const [second, now] = [relay.copy(), relay.copy()]
    await insert(ada, 10, 'ada, lost')
    await relay.settle(ada)
    await insert(dora, 20, 'dora, lost')
    await second.settle(dora)
    await insert(carl, 30, 'carl, kept')
    await insert(carl, 31, 'carl, kept too')
    await now.settle(carl, bob)
    expect(await now.during(dora, acceptRollback(dora, await branchFor(now, dora)))).toMatchObject({ lost: 1 })
    await staysStuck(ada, now)
    await now.during(ada, acceptRollback(ada, await branchFor(now, ada)))
    expect(ada.writable).toBe(true)
  })

  it('of less than was lost: from a later entry on than the one where the histories part', async () => {
    const { ada, bob, carl, dora, now } = await rolledBack('less')
    await insert(carl, 31, 'carl, kept too')
    await now.settle(carl, dora)
    const { from } = await branchFor(now, ada)
    await write(now, dora, acceptanceOf(ada, now, from + 1))
    for (const space of [ada, bob]) await staysStuck(space, now)
    await write(now, dora, acceptanceOf(bob, now, from))
    const lost = bob.head.size - from
    expect(await bob.resume(await branchFor(now, bob))).toMatchObject({ lost })
  })
})

describe('the evidence in an acceptance', () => {
  it('is against the relay of this space: its name and its key', async () => {
    const { ada, dora, now } = await rolledBack('relay')
    const { from } = await branchFor(now, ada)
    await now.settle(dora)
    const fork = (name: string, seed: Uint8Array): AcceptRollbackOp => acceptanceOf(ada, now, from, { name, seed })
    expect(await outcomeOf(dora, fork(NAME, new Uint8Array(32).fill(8)))).toBe('rule relay')
    expect(await outcomeOf(dora, fork('other.test', Sequencer.SEED))).toBe('rule relay')
    await write(now, dora, fork(NAME, Sequencer.SEED))
  })

  it('is of the head that the entry builds on: its size, its log, its state', async () => {
    const { ada, dora, now } = await rolledBack('kept')
    const { from } = await branchFor(now, ada)
    await now.settle(dora)
    for (const kept of [{ logRoot: new Uint8Array(32).fill(1) }, { stateRoot: new Uint8Array(32).fill(1) }]) {
      expect(await outcomeOf(dora, acceptanceOf(ada, now, from, { kept }))).toBe('conflict kept-head')
    }
    await write(now, dora, acceptanceOf(ada, now, from))
  })

  it('names a point before both heads, from which the leaves lead to the lost one', async () => {
    const { ada, bob, carl, dora, now } = await rolledBack('point')
    const { from } = await branchFor(now, ada)
    await now.settle(dora)
    expect([now.head.size - from, ada.head.size - now.head.size > 1]).toEqual([1, true])
    const op = acceptanceOf(ada, now, from)
    for (const size of [now.head.size, ada.head.size - 1, ada.head.size]) {
      expect(await outcomeOf(dora, { ...op, common: ada.log.frontier(size), leaves: op.leaves.slice(size - from) })).toBe('rule lost-branch')
    }
    expect(await outcomeOf(dora, { ...op, leaves: [...op.leaves, new Uint8Array(32)] })).toBe('rule lost-branch')
    // The other way round: what is kept is longer, and nothing at all was lost after the point.
    for (let i = 0; i < 6; i++) await insert(carl, 40 + i, 'carl, kept')
    await now.settle(carl, dora)
    const longer = acceptanceOf(bob, now, from)
    expect(longer.lostIsLarger).toBe(false)
    expect(await outcomeOf(dora, { ...longer, common: bob.log.frontier(bob.head.size), leaves: [] })).toBe('rule lost-branch')
    await write(now, dora, longer)
  })
})

describe('a branch that is shown', () => {
  it('begins at an entry that is verified here, and leads to the head that the relay has signed', async () => {
    const { ada, now } = await rolledBack('shown')
    const before = stateOf(ada)
    const branch = await branchFor(now, ada)
    for (const from of [0, ada.head.size + 1]) expect(await codeOfLater(ada.acceptRollback({ ...branch, from }))).toBe('bad-argument')
    for (const change of [{ logRoot: new Uint8Array(32) }, { stateRoot: new Uint8Array(32) }]) {
      expect(await codeOfLater(ada.acceptRollback({ ...branch, note: now.note({ ...now.head, ...change }) }))).toBe('bad-checkpoint')
    }
    expect(stateOf(ada)).toEqual(before)
    await ada.close()
    expect(await codeOfLater(ada.acceptRollback(branch))).toBe('bad-argument')
  })
})

/** Somebody who joins as an admin. */
async function admit(relay: Sequencer, by: Space, name: string): Promise<Space> {
  const space = await relay.join(memoryStore(), await relay.during(by, invite(by, { role: 'admin' })), `admitted ${name}`)
  open.push(space)
  return space
}

/** An acceptance of what `lost` has verified after `common`, in favour of what the relay has now; its evidence signed by whom, about which kept head. */
function acceptanceOf(lost: Space, now: Sequencer, common: number, by: { readonly name?: string; readonly seed?: Uint8Array; readonly kept?: Partial<Head> } = {}): AcceptRollbackOp {
  const signer = crypto.signer(by.seed ?? Sequencer.SEED)
  const relayName = by.name ?? NAME
  const note = (head: Head): Uint8Array => signCheckpoint({ origin: originOfSpace(lost.id), size: head.size, root: head.logRoot, extensions: [formatStateLine(head.stateRoot)] }, [checkpointSigner(crypto, relayName, signer)])
  const kept = { ...now.head, ...by.kept }
  const lostIsLarger = lost.head.size >= kept.size
  const [smaller, larger, log] = lostIsLarger ? [kept, lost.head, lost.log] : [lost.head, kept, now.follower.log]
  const evidence = encodeEvidence({
    spaceId: lost.id, relayName, relayKey: signer.publicKey, smaller: note(smaller), larger: note(larger),
    root: log.root(smaller.size), proof: smaller.size === larger.size ? [] : log.consistencyProof(smaller.size, larger.size),
  })
  const leaves = Array.from({ length: lost.head.size - common }, (_, i) => lost.log.leaf(common + i).slice())
  return { op: 'rollback.accept', common: lost.log.frontier(common), leaves, lostIsLarger, evidence }
}

async function write(now: Sequencer, by: Space, op: AcceptRollbackOp): Promise<void> {
  await by.commitOps(() => [op])
  await now.settle(by)
}

/** What the op comes to as the next entry of `by`; nothing moves. */
async function outcomeOf(by: Space, op: AcceptRollbackOp): Promise<unknown> {
  const before = stateOf(by)
  const outcome = await by.commitOps(() => [op]).then(() => 'done', (error: unknown) => (isSealError(error, 'rejected') ? `${String(error.facts.code)} ${String(error.facts.detail)}` : error))
  expect(stateOf(by)).toEqual(before)
  return outcome
}
