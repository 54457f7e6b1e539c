/** What a relay may show to a newcomer with a genuine link (attacks A6, A7, A15): each lie ends in its code, and in a store that holds nothing. */
import { afterEach, describe, expect, it } from 'vitest'
import { parseLink } from '../../engine/group/link.js'
import { invite, revokeInvitation, rotate } from '../../engine/space/acts.js'
import { signEntry } from '../../engine/space/entry.js'
import { joinSpace, type JoinChannel } from '../../engine/space/join.js'
import { createSpace } from '../../engine/space/open.js'
import { decodeDeviceSecrets, NAMES } from '../../engine/space/persist.js'
import type { Space } from '../../engine/space/space.js'
import type { Head } from '../../engine/space/types.js'
import { memoryStore } from '../../engine/store/memory.js'
import { codeOfLater } from '../outcomes.js'
import { createTable, crypto, optionsOf, put, rows, taskTable } from './rim-support.js'
import { Sequencer } from './sequencer.js'

const open: Space[] = []
afterEach(async () => { for (const space of open.splice(0)) await space.close() })
const insert = (space: Space, key: number): ReturnType<Space['commit']> => space.commit(rows(put('insert', 1, BigInt(key), 0n, `row ${key}`)), space.current)

async function founded(seed: string): Promise<{ readonly ada: Space; readonly relay: Sequencer }> {
  const ada = await createSpace(await memoryStore().open(), optionsOf(`${seed} ada`))
  open.push(ada)
  await ada.commit(createTable(taskTable(1), 'table:task'), ada.current)
  const relay = await Sequencer.attach(ada)
  await insert(ada, 1)
  await relay.settle(ada)
  return { ada, relay }
}

const linkOf = (ada: Space, relay: Sequencer): Promise<string> => relay.during(ada, invite(ada, { role: 'writer' }))

/** What joining over `channel` comes to; unless it succeeds, the store has nothing. */
async function outcome(channel: JoinChannel, link: string): Promise<string> {
  const store = await memoryStore().open()
  const code = await codeOfLater(joinSpace(store, optionsOf('newcomer'), parseLink(crypto, link), channel).then((space) => { open.push(space) }))
  if (code === 'no error') return code
  expect([store.size, store.get(NAMES.device), store.get(NAMES.head)]).toEqual([0, undefined, undefined])
  await store.close()
  return code
}

describe('the checkpoint under what a newcomer is given', () => {
  it('is of the head that the entries lead to: its log and its state', async () => {
    const { ada, relay } = await founded('head')
    const link = await linkOf(ada, relay)
    const lying = (change: Partial<Head>): JoinChannel => ({ ...relay.channel(), pull: async (from) => ({ records: relay.records.slice(from), note: relay.note({ ...relay.head, ...change }) }) })
    for (const change of [{ logRoot: new Uint8Array(32).fill(1) }, { stateRoot: new Uint8Array(32).fill(1) }, { size: relay.head.size - 1 }]) expect(await outcome(lying(change), link)).toBe('bad-checkpoint')
    expect(await outcome(lying({}), link)).toBe('no error')
  })

  it('is for no more than is given', async () => {
    const { ada, relay } = await founded('more')
    const link = await linkOf(ada, relay)
    const holding = (count: number): JoinChannel => ({ ...relay.channel(), pull: async (from) => ({ records: relay.records.slice(from, count), note: relay.note() }) })
    expect(await outcome(holding(relay.head.size - 1), link)).toBe('rollback')
    expect(await outcome(holding(0), link)).toBe('rollback')
    const nothing: JoinChannel = { ...relay.channel(), pull: async () => ({ records: [], note: relay.note({ size: 0, logRoot: crypto.sha256(new Uint8Array(0)), stateRoot: relay.head.stateRoot }) }) }
    expect(await outcome(nothing, link)).toBe('bad-genesis')
  })

  it('is the relay’s of the link', async () => {
    const { ada, relay } = await founded('key')
    const link = await linkOf(ada, relay)
    const impostor = new Sequencer(relay.records, new Uint8Array(32).fill(9))
    expect(await outcome(impostor.channel(), link)).toBe('bad-signature')
  })
})

describe('the inviter’s head in a link', () => {
  it('is of the history that a newcomer is given: another log with the same state is another history', async () => {
    const { ada, relay } = await founded('anchor')
    // An entry that is ignored leaves nothing in the state: of the last one before the link, the log alone tells.
    const { signingSeed } = decodeDeviceSecrets(ada.store.get(NAMES.device) as Uint8Array)
    const ignored = (fill: number): Uint8Array => signEntry({ spaceId: ada.id, base: ada.head, device: 77, devicePrev: new Uint8Array(32).fill(fill), epoch: 1, time: 0, adopted: false, reads: [], ops: [{ op: 'upgrade', version: 2 }] }, crypto.signer(signingSeed))
    const link = await linkOf(ada, relay)
    const fork = relay.copy()
    expect([relay.take(ignored(1), true), fork.take(ignored(2), true)]).toMatchObject([{ kind: 'ignored', code: 'device' }, { kind: 'ignored', code: 'device' }])
    expect(fork.head.stateRoot).toEqual(relay.head.stateRoot)
    const anchored = parseLink(crypto, link)
    const shown = (other: Sequencer): Promise<string> => joinWith({ ...anchored, anchor: relay.head }, other)
    expect(await shown(fork)).toBe('fork')
    expect(await shown(relay)).toBe('no error')
  })

  it('is reached: an older history, and one that leads to another state, are refused', async () => {
    const { ada, relay } = await founded('reached')
    const old = relay.copy()
    const link = await linkOf(ada, relay)
    expect(await outcome(old.channel(), link)).toBe('rollback')
    const anchored = parseLink(crypto, link)
    expect(await joinWith({ ...anchored, anchor: { ...relay.head, stateRoot: new Uint8Array(32).fill(1) } }, relay)).toBe('fork')
  })

  async function joinWith(link: ReturnType<typeof parseLink>, relay: Sequencer): Promise<string> {
    const store = await memoryStore().open()
    return codeOfLater(joinSpace(store, optionsOf('anchored'), link, relay.channel()).then((space) => { open.push(space) }))
  }
})

describe('joining', () => {
  it('takes a store that holds nothing, and a link that names a relay', async () => {
    const { ada, relay } = await founded('store')
    const link = parseLink(crypto, await linkOf(ada, relay))
    const join = (store: Space['store'], of = link): Promise<string> => codeOfLater(joinSpace(store, optionsOf('store'), of, relay.channel()).then((space) => { open.push(space) }))
    const { head, store: taken } = ada
    expect(await join(taken)).toBe('bad-argument')
    expect(ada.head).toEqual(head)
    const secrets = await memoryStore().open()
    await secrets.commit({ put: [[NAMES.device, new Uint8Array(1)]] })
    expect(await join(secrets)).toBe('bad-argument')
    const { relay: _, ...alone } = link
    expect(await join(await memoryStore().open(), alone)).toBe('bad-argument')
  })

  it('is tried again when the group moved on in between, and given up when it admits nobody any more', async () => {
    const { ada, relay } = await founded('again')
    const link = await linkOf(ada, relay)
    let appends = 0
    const racing: JoinChannel = {
      ...relay.channel(),
      append: async (record) => {
        if (appends++ === 0) await relay.during(ada, rotate(ada)) // its epoch is over
        return relay.take(record).kind === 'applied' ? 'sent' : 'refused'
      },
    }
    expect(await outcome(racing, link)).toBe('no error')
    expect(appends).toBe(2)
    const second = await linkOf(ada, relay)
    const { invitation } = parseLink(crypto, second)
    await relay.during(ada, revokeInvitation(ada, invitation))
    expect(await outcome(relay.channel(), second)).toBe('rejected')
  })

  it('is given up, not waited for without end, when the relay keeps the entry to itself', async () => {
    const { ada, relay } = await founded('kept')
    const link = await linkOf(ada, relay)
    let waits = 0
    expect(await outcome({ ...relay.channel(), append: async () => 'sent', wait: async () => void waits++ }, link)).toBe('rejected')
    expect(waits).toBeGreaterThan(0)
  })
})
