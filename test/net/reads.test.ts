/** Reading at a relay: whatever is asked is answered as the state has it, or not at all. */
import { afterEach, describe, expect, it } from 'vitest'
import { Writer } from '../../engine/codec/canonical.js'
import { isSealError } from '../../engine/errors.js'
import { parseLink } from '../../engine/group/link.js'
import { invite, remove } from '../../engine/space/acts.js'
import { signInvitationChallenge } from '../../engine/space/join.js'
import type { SpaceView } from '../../engine/space/view.js'
import { rowPrefix } from '../../engine/state/keys.js'
import { answer, writeQueries, type Query } from '../../engine/state/queries.js'
import { enter, greet } from '../../net/client.js'
import { readAt } from '../../net/reads.js'
import { DEFAULT_LIMITS } from '../../net/relay/relay.js'
import { createTable, optionsOf, put, rows, taskTable } from '../space/rim-support.js'
import { through } from './hostile.js'
import { crypto, founder, invited, stopAll, testRelay, until, type TestPeer, type TestRelay } from './support.js'

const peers: TestPeer[] = []
afterEach(() => stopAll(peers))

const say = async ({ space }: TestPeer, key: number, length = 40): Promise<unknown> => (await space.commit(rows(put('insert', 1, BigInt(key), 0n, 'x'.repeat(length))), space.current)).settled

/** Rows of 300 kB each among short ones: some pages. */
async function setting(options: Parameters<typeof testRelay>[0] = {}): Promise<{ readonly relay: TestRelay; readonly ada: TestPeer }> {
  const relay = await testRelay(options)
  const ada = await founder(relay, 'reads Ada')
  peers.push(ada)
  await (await ada.space.commit(createTable(taskTable(1), 'table:task'), ada.space.current)).settled
  for (let i = 0; i < 12; i++) await say(ada, i, i % 2 === 0 ? 300_000 : 40)
  return { relay, ada }
}

const prefix = rowPrefix(1)
const all: Query = { kind: 'scan', lo: prefix, hi: Uint8Array.of(...prefix, 0xff) }
const queries: readonly Query[] = [{ kind: 'count' }, all, { ...all, reverse: true, limit: 5 }, { kind: 'get', key: Uint8Array.of(1) }, { kind: 'get', key: Uint8Array.of(99) }, { kind: 'nth', n: 0 }]
/** Long bytes by their hashes: comparing them one by one takes minutes. */
const brief = (answers: readonly unknown[]): string => JSON.stringify(answers, (_, value: unknown) => (value instanceof Uint8Array ? Buffer.from(crypto.sha256(value)).toString('hex') : value))
const truth = ({ space }: TestPeer): string => brief(queries.map((query) => answer((space.verified as SpaceView).held.tree.state, query)))

describe('reading at a relay', () => {
  it('gives what the state has, in pages, at a head that others have gone beyond, as long as one reads there', async () => {
    const { relay, ada } = await setting()
    let pages = 0
    const rpc = await enter(ada.space, through(relay.dial, { toClient: (message) => { if (message.kind === 'page') pages++; return undefined } }))
    const { head } = ada.space
    const expected = truth(ada)
    expect(brief(await readAt(rpc, crypto, head, queries))).toBe(expected)
    expect(pages).toBeGreaterThan(2)
    for (let i = 100; i < 140; i++) await say(ada, i)
    expect(brief(await readAt(rpc, crypto, head, queries))).toBe(expected)
    expect(brief(await readAt(rpc, crypto, ada.space.head, queries))).toBe(truth(ada))
    // Nobody held on to it any more.
    await expect(readAt(rpc, crypto, head, queries)).rejects.toMatchObject({ code: 'relay-refused', facts: { code: 'gone' } })
    for (const size of [0, 2 ** 40]) await expect(readAt(rpc, crypto, { ...head, size }, queries)).rejects.toMatchObject({ facts: { code: 'gone' } })
    expect(await readAt(rpc, crypto, ada.space.head, [])).toEqual([])
    rpc.close()
  })

  it('is open to a newcomer at the link’s head, by the inviter’s word alone', async () => {
    const { relay, ada } = await setting()
    const link = parseLink(crypto, await invite(ada.space, { role: 'reader' }))
    const expected = truth(ada)
    for (let i = 100; i < 140; i++) await say(ada, i)
    const { rpc, name, nonce } = await greet(relay.dial, 'memory:', ada.space.id)
    await rpc.call({ kind: 'authInvitation', invitation: link.invitation, signature: signInvitationChallenge(optionsOf('Bob'), link, name, nonce) }, 'welcome')
    expect(brief(await readAt(rpc, crypto, link.anchor, queries))).toBe(expected)
    rpc.close()
  })

  it('any byte of an answer changed: the same answers, or a typed error', async () => {
    const { relay, ada } = await setting()
    const few: readonly Query[] = [{ kind: 'count' }, { kind: 'get', key: Uint8Array.of(1) }, { kind: 'scan', lo: Uint8Array.of(0x10), hi: Uint8Array.of(0x12) }]
    const right = few.map((query) => answer((ada.space.verified as SpaceView).held.tree.state, query))
    let length = 0
    let change = -1
    const dial = through(relay.dial, { toClient: (message, frame) => {
      if (message.kind !== 'page') return undefined
      length = frame.length
      const other = frame.slice()
      if (change >= 0) other[change] = (other[change] as number) ^ 0x11
      return [other]
    } })
    let rpc = await enter(ada.space, dial)
    await readAt(rpc, crypto, ada.space.head, few)
    const codes = new Set<string>()
    for (change = 0; change < length; change++) {
      // A changed request number is an answer to nothing: nobody waits for it long in a test.
      if (change === 2) continue
      if (!rpc.open) rpc = await enter(ada.space, dial)
      try {
        expect(await readAt(rpc, crypto, ada.space.head, few), `byte ${change}`).toEqual(right)
      } catch (error) {
        if (!isSealError(error)) throw error
        codes.add(error.code)
      }
    }
    expect([...codes].sort()).toEqual(expect.arrayContaining(['bad-proof', 'disconnected']))
    for (const code of codes) expect(['bad-proof', 'bad-encoding', 'too-large', 'disconnected', 'bad-frame']).toContain(code)
    rpc.close()
  })

  it('a relay that gives another head’s pages, or leaves something out, is caught', async () => {
    const { relay, ada } = await setting()
    const before = ada.space.head
    await say(ada, 50)
    // Asked for the newer head, it answers from the older one, whose root it would have us take.
    const older = through(relay.dial, { toRelay: (message) => (message.kind === 'read' ? [{ ...message, size: before.size }] : undefined) })
    const rpc = await enter(ada.space, older)
    await expect(readAt(rpc, crypto, ada.space.head, queries)).rejects.toMatchObject({ code: 'bad-proof' })
    rpc.close()
    // Asked for all, it answers for all but the last row of the page; or says that there is nothing more.
    for (const lie of [{ rows: 1 }, { rows: 0, answered: 2 }, { answered: queries.length, rows: 0 }]) {
      const liar = await enter(ada.space, through(relay.dial, { toClient: (message) => (message.kind === 'page' ? [{ ...message, ...lie }] : undefined) }))
      await expect(readAt(liar, crypto, ada.space.head, queries), JSON.stringify(lie)).rejects.toMatchObject({ code: 'bad-proof' })
      liar.close()
    }
    const skips = through(relay.dial, { toRelay: (message) => {
      if (message.kind !== 'read') return undefined
      const w = new Writer(64)
      writeQueries(w, [{ ...all, lo: Uint8Array.of(...prefix, 0x11, 0x04) }])
      return [{ ...message, queries: w.finish() }]
    } })
    const skipping = await enter(ada.space, skips)
    await expect(readAt(skipping, crypto, ada.space.head, [all])).rejects.toMatchObject({ code: 'bad-proof' })
    skipping.close()
  })

  it('who asks for nonsense or too much is let go or told so; who was removed gets nothing', async () => {
    const { relay, ada } = await setting({ limits: { ...DEFAULT_LIMITS, reads: { perSecond: 1, burst: 2_000_000 } } })
    const eve = await invited(relay, ada, 'reads Eve')
    peers.push(eve)
    const size = ada.space.head.size
    const many = new Writer(64)
    many.varint(5_000)
    for (const bytes of [Uint8Array.of(1), Uint8Array.of(1, 9), Uint8Array.of(0, 0), Uint8Array.of(1, 5), many.finish()]) {
      const rpc = await enter(ada.space, relay.dial)
      await expect(rpc.call({ kind: 'read', size, queries: bytes }, 'page')).rejects.toMatchObject({ code: 'disconnected', facts: { code: 4000 } })
    }
    await expect(readAt(await enter(ada.space, relay.dial), crypto, ada.space.head, Array.from({ length: 4_097 }, () => all))).rejects.toMatchObject({ code: 'too-large' })
    const long = { kind: 'get', key: new Uint8Array(255) } as const
    await expect(readAt(await enter(ada.space, relay.dial), crypto, ada.space.head, Array.from({ length: 1_100 }, () => long))).rejects.toMatchObject({ code: 'bad-argument' })
    const greedy = await enter(ada.space, relay.dial)
    await expect((async () => { for (let i = 0; i < 3; i++) await readAt(greedy, crypto, ada.space.head, [all]) })()).rejects.toMatchObject({ facts: { code: 'rate' } })
    const rpc = await enter(eve.space, relay.dial)
    expect((await readAt(rpc, crypto, ada.space.head, [{ kind: 'count' }]))[0]).toBeGreaterThan(12)
    const { head } = ada.space
    await eve.sync.stop()
    await remove(ada.space, { members: [eve.space.me.member] })
    await expect(readAt(rpc, crypto, head, [{ kind: 'count' }])).rejects.toMatchObject({ code: 'disconnected', facts: { code: 4003 } })
    // Before it has proved a key, a connection reads nothing.
    const stranger = await greet(relay.dial, 'memory:', ada.space.id)
    await expect(stranger.rpc.call({ kind: 'read', size, queries: Uint8Array.of(0) }, 'page')).rejects.toMatchObject({ facts: { code: 4000 } })
    await until(() => relay.relay.metrics.get('malformed') === 6, 'each was told apart')
  })
})
