/** Who is here, and what they say, through the public interface. */
import { afterEach, expect, test } from 'vitest'
import { createSpace, joinSpace, memoryStore, type Heard, type SealedSpace } from 'sealdb'
import { dial as dialNode } from '#dial'
import { startRelay, type RunningRelay } from '../../net/server.js'
import { decodeMessage } from '../../net/messages.js'
import type { Connection, Dial } from '../../net/transport.js'
import { codeOf } from '../outcomes.js'
import { until } from './support.js'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close()
})

async function space(relay: RunningRelay, ada?: SealedSpace, unsafe: { readonly now?: () => number; readonly dial?: Dial } = {}): Promise<SealedSpace> {
  const made = ada === undefined ? await createSpace({ store: memoryStore(), relay: relay.url, unsafe }) : await joinSpace(await ada.invite({ role: 'reader' }), { store: memoryStore(), unsafe })
  open.push(made)
  await made.online()
  return made
}

async function started(): Promise<RunningRelay> {
  const relay = await startRelay()
  open.push(relay)
  return relay
}

const said = (heard: readonly Heard[]): string[] => heard.filter(({ payload }) => payload.length > 0).map(({ member, payload }) => `${member}: ${new TextDecoder().decode(payload)}`)
const say = (from: SealedSpace, text: string): boolean => from.presence.send(new TextEncoder().encode(text))
function listen(to: SealedSpace): Heard[] {
  const heard: Heard[] = []
  to.presence.subscribe((each) => heard.push(each))
  return heard
}

test('everybody else who is online hears it, in order, nobody’s own words come back, and nothing is kept', async () => {
  const relay = await started()
  const ada = await space(relay)
  const [bob, cleo] = [await space(relay, ada), await space(relay, ada)]
  const ears = [ada, bob, cleo].map(listen)
  const [a, b, c] = ears as [Heard[], Heard[], Heard[]]
  const size = () => [ada, bob, cleo].map(({ head }) => head.size)
  await until(() => new Set(size()).size === 1, 'in step')
  const before = size()
  for (let i = 0; i < 5; i++) expect(say(bob, `${i}`)).toBe(true)
  say(ada, 'yes?')
  await until(() => said(c).length === 6 && said(a).length === 5 && said(b).length === 1, 'all have heard')
  expect(said(a)).toEqual([0, 1, 2, 3, 4].map((i) => `${bob.me.id}: ${i}`))
  expect(said(b)).toEqual([`${ada.me.id}: yes?`])
  expect(ada.presence.here.map(({ device }) => device)).toEqual([bob.me.device, cleo.me.device])
  expect(size()).toEqual(before)
  const dora = await space(relay, ada)
  const d = listen(dora)
  say(ada, 'hello')
  await until(() => said(d).length === 1, 'she hears what is said now')
  expect(said(d)).toEqual([`${ada.me.id}: hello`])
})

test('whoever comes is told of once; who is silent for long is gone', async () => {
  const relay = await started()
  let clock = 1_000_000
  const ada = await space(relay, undefined, { now: () => clock })
  const heard = listen(ada)
  const bob = await space(relay, ada)
  say(bob, 'one')
  say(bob, 'two')
  await until(() => said(heard).length === 2, 'heard')
  expect(heard.filter(({ arrived }) => arrived)).toHaveLength(1)
  expect(ada.presence.here).toEqual([{ member: bob.me.id, device: bob.me.device, heardAt: clock }])
  clock += 45_001
  expect(ada.presence.here).toEqual([])
  say(bob, 'three')
  await until(() => said(heard).length === 3, 'heard again')
  expect(heard.at(-1)?.arrived).toBe(true)
})

test('offline: nobody is told, and that is said; too long a message is refused', async () => {
  const relay = await started()
  const ada = await space(relay)
  expect(codeOf(() => ada.presence.send(new Uint8Array(8 * 1024 + 1)))).toBe('bad-argument')
  await ada.disconnect()
  expect(say(ada, 'anybody?')).toBe(false)
  ada.connect()
  await ada.online()
  expect(say(ada, 'back')).toBe(true)
})

test('a relay that says again what was said on an earlier connection is not heard', async () => {
  const relay = await started()
  const ada = await space(relay)
  const frames: Uint8Array[] = []
  let now: Connection | undefined
  const dial: Dial = async (url, signal) => {
    const connection = await dialNode(url, signal)
    now = { send: (frame) => connection.send(frame), get buffered() { return connection.buffered }, close: (code, reason) => connection.close(code, reason), onFrame: () => undefined, onClose: () => undefined, peer: connection.peer }
    const outer = now
    connection.onFrame = (frame) => {
      if (decodeMessage(frame).kind === 'presenceFrom') frames.push(frame.slice())
      outer.onFrame(frame)
    }
    connection.onClose = (closing) => outer.onClose(closing)
    return outer
  }
  const bob = await space(relay, ada, { dial })
  const heard = listen(bob)
  say(ada, 'once')
  await until(() => said(heard).length === 1, 'heard')
  await bob.disconnect()
  bob.connect()
  await bob.online()
  const count = frames.length
  for (const frame of frames.slice(0, count)) now?.onFrame(frame)
  say(ada, 'again')
  await until(() => said(heard).includes(`${ada.me.id}: again`), 'the next is heard')
  expect(said(heard)).toEqual([`${ada.me.id}: once`, `${ada.me.id}: again`])
})
