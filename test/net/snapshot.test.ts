/** Joining from a snapshot over a relay: in chunks, resumed, against bytes changed on the way; and how much goes over the wire. */
import { afterEach, describe, expect, it } from 'vitest'
import { isSealError } from '../../engine/errors.js'
import { parseLink } from '../../engine/group/link.js'
import { invite } from '../../engine/space/acts.js'
import { joinSpace, signInvitationChallenge } from '../../engine/space/join.js'
import { memoryStore } from '../../engine/store/memory.js'
import type { StoreLocation } from '../../engine/store/store.js'
import { joinChannel } from '../../net/join.js'
import type { Message, MessageKind } from '../../net/messages.js'
import type { Dial } from '../../net/transport.js'
import { createTable, optionsOf, put, rows, taskTable } from '../space/rim-support.js'
import { through } from './hostile.js'
import { bodies, crypto, founder, startSync, testRelay, until, type TestPeer, type TestRelay } from './support.js'

const open: (() => Promise<void>)[] = []
afterEach(async () => { for (const close of open.splice(0).reverse()) await close() })
const keep = (peer: TestPeer): TestPeer => {
  open.push(async () => {
    await peer.sync.stop()
    await peer.space.close()
  })
  return peer
}
const say = async ({ space }: TestPeer, key: number, length: number): Promise<unknown> => (await space.commit(rows(put('insert', 1, BigInt(key), 0n, String(key).padEnd(length, '.'))), space.current)).settled

/** A dozen rows, about 700 kB: three chunks. Two entries more after the link. */
async function setting(): Promise<{ readonly relay: TestRelay; readonly ada: TestPeer; readonly link: string; readonly anchor: number }> {
  const relay = await testRelay()
  const ada = keep(await founder(relay, 'Ada'))
  await (await ada.space.commit(createTable(taskTable(1), 'table:task'), ada.space.current)).settled
  for (let i = 0; i < 12; i++) await say(ada, i, 60_000)
  const link = await invite(ada.space, { role: 'writer', uses: 100 })
  for (let i = 12; i < 14; i++) await say(ada, i, 10)
  return { relay, ada, link, anchor: parseLink(crypto, link).anchor.size }
}

/** A history of any length counts as long. */
async function join(dial: Dial, link: string, name: string, location: StoreLocation = memoryStore(), told: string[] = []): Promise<TestPeer> {
  const options = optionsOf(name)
  const parsed = parseLink(crypto, link)
  const channel = await joinChannel(dial, parsed, (relayName, nonce) => signInvitationChallenge(options, parsed, relayName, nonce), undefined, { entries: 0, rows: 0 })
  const store = await location.open()
  try {
    const space = await joinSpace(store, options, parsed, channel, { name }, undefined, (done, of) => told.push(`${done}/${of}`))
    return keep({ space, sync: startSync(space, dial, name), location })
  } catch (error) {
    await store.close()
    throw error
  } finally {
    channel.close()
  }
}

/** What was asked, in order. */
function watched(relay: TestRelay): { readonly dial: Dial; readonly asked: Message[] } {
  const asked: Message[] = []
  return { dial: through(relay.dial, { toRelay: (message) => { asked.push(message); return undefined } }), asked }
}
const kinds = (asked: readonly Message[]): MessageKind[] => asked.map(({ kind }) => kind)

describe('joining from a snapshot', () => {
  it('takes the chunks and what came after the link, tells how far it is, and is a member like any other', async () => {
    const { relay, ada, link, anchor } = await setting()
    const { dial, asked } = watched(relay)
    const told: string[] = []
    const bob = await join(dial, link, 'Bob', undefined, told)
    expect(kinds(asked).filter((kind) => kind === 'rows')).toHaveLength(3)
    expect(asked.filter((message) => message.kind === 'pull').every(({ from }) => from >= anchor)).toBe(true)
    expect(told.at(0)).toMatch(/^0\//)
    expect(told.at(-1)).toMatch(/^(\d+)\/\1$/)
    await say(bob, 100, 10)
    await until(() => ada.space.head.size === bob.space.head.size, 'in step')
    expect(bodies(bob.space.verified, 1)).toEqual(bodies(ada.space.verified, 1))
    expect(bob.space.head).toEqual(ada.space.head)
  })

  it('goes on where it was cut off', async () => {
    const { relay, link } = await setting()
    const location = memoryStore()
    let chunks = 0
    const cut = through(relay.dial, { toClient: (message, _, control) => {
      if (message.kind !== 'rowsAre' || ++chunks < 3) return undefined
      control.cut()
      return []
    } })
    await expect(join(cut, link, 'Bob', location)).rejects.toMatchObject({ code: 'disconnected' })
    const { dial, asked } = watched(relay)
    await join(dial, link, 'Bob', location)
    expect(kinds(asked).filter((kind) => kind === 'rows' || kind === 'snapshot')).toEqual(['rows'])
  })

  it('any byte of manifest or chunk changed: the same space or a typed error, and the relay’s own answers are good afterwards', async () => {
    const { relay, ada, link } = await setting()
    const outcomes = new Set<string>()
    for (const kind of ['snapshotIs', 'rowsAre'] as const) {
      for (const part of [0, 0.001, 0.1, 0.33, 0.5, 0.75, 0.99, 1]) {
        let changed = false
        const dial = through(relay.dial, { toClient: (message, frame) => {
          if (message.kind !== kind || changed) return undefined
          changed = true
          const other = Uint8Array.from(frame)
          const at = Math.floor((frame.length - 1) * part)
          other[at] = (other[at] as number) ^ 0x10
          return [other]
        } })
        const location = memoryStore()
        try {
          const { space, sync } = await join(dial, link, `${kind} ${part}`, location)
          await until(() => space.head.size === ada.space.head.size, 'in step')
          expect(space.head.stateRoot).toEqual(ada.space.head.stateRoot)
          await sync.stop()
          outcomes.add('joined')
        } catch (error) {
          if (!isSealError(error)) throw error
          outcomes.add(error.code)
          await join(relay.dial, link, `${kind} ${part} again`, location)
        }
        expect(changed).toBe(true)
      }
    }
    expect(outcomes.has('bad-proof')).toBe(true)
  }, 120_000)

  it.each(['no manifest', 'no second chunk'])('with %s to be had: the whole log instead', async (lack) => {
    const { relay, ada, link } = await setting()
    let chunks = 0
    const asked: Message[] = []
    const dial = through(relay.dial, {
      toRelay: (message) => { asked.push(message); return undefined },
      toClient: (message) => {
        if (message.kind === 'snapshotIs' && lack === 'no manifest') return [{ ...message, manifest: new Uint8Array(0) }]
        return message.kind === 'rowsAre' && ++chunks === 2 ? [{ ...message, proof: new Uint8Array(0) }] : undefined
      },
    })
    const bob = await join(dial, link, 'Bob')
    expect(asked.some((message) => message.kind === 'pull' && message.from === 0)).toBe(true)
    await until(() => bob.space.head.size === ada.space.head.size, 'in step')
    expect(bodies(bob.space.verified, 1)).toEqual(bodies(ada.space.verified, 1))
    expect((await bob.space.records(0, 1))).toHaveLength(1)
  })

  it('a short history is replayed; rows that are not there, a size without a link, and too many at once are no way to break the relay', async () => {
    const { relay, ada, link, anchor } = await setting()
    const { dial, asked } = watched(relay)
    const options = optionsOf('Bob')
    const parsed = parseLink(crypto, link)
    const channel = await joinChannel(dial, parsed, (name, nonce) => signInvitationChallenge(options, parsed, name, nonce))
    expect(await channel.snapshot?.manifest(anchor)).toBeUndefined()
    expect(await channel.snapshot?.manifest(anchor - 1)).toBeUndefined()
    expect(await channel.snapshot?.manifest(2 ** 40)).toBeUndefined()
    expect(await channel.snapshot?.rows(anchor - 1, 0, 1)).toBeUndefined()
    expect(await channel.snapshot?.rows(anchor, 0, 1)).toBeDefined()
    for (const [from, count] of [[0, 0], [2 ** 40, 1], [0, 2 ** 40]] as const) expect(await channel.snapshot?.rows(anchor, from, count)).toBeUndefined()
    channel.close()
    expect(kinds(asked)).toContain('snapshot')
    await say(ada, 50, 10)
  })
})

describe('catching up', () => {
  it('costs bytes in proportion to what is missing, however long the history', async () => {
    const relay = await testRelay()
    const ada = keep(await founder(relay, 'Ada'))
    await (await ada.space.commit(createTable(taskTable(1), 'table:task'), ada.space.current)).settled
    let bytes = 0
    const dial = through(relay.dial, {}, (frame) => { bytes += frame.length })
    const bob = keep(await join(relay.dial, await invite(ada.space, { role: 'writer' }), 'Bob'))
    let key = 1
    const cost = async (missing: number): Promise<number> => {
      await bob.sync.stop()
      for (let i = 0; i < missing; i++) await say(ada, key++, 100)
      bytes = 0
      const sync = startSync(bob.space, dial, `Bob ${key}`)
      await until(() => bob.space.head.size === ada.space.head.size, 'in step')
      await sync.stop()
      return bytes
    }
    const nothing = await cost(0)
    const [ten, forty] = [await cost(10), await cost(40)]
    for (let i = 0; i < 200; i++) await say(ada, key++, 100)
    await cost(0)
    const tenLater = await cost(10)
    const record = ((await ada.space.records(ada.space.head.size - 1, ada.space.head.size))[0] as Uint8Array).length
    expect(nothing).toBeLessThan(2_000)
    for (const [count, found] of [[10, ten], [40, forty], [10, tenLater]] as const) expect(found, `${count}`).toBeLessThan(nothing + count * (record + 40) + 600)
    expect(forty).toBeGreaterThan(nothing + 40 * record * 0.9)
  })
})

