/** Letting go of a file's content here: only of what the relay has, and has just shown. */
import { afterEach, expect, test } from 'vitest'
import { FILE_CHUNK_LENGTH } from '../../engine/limits.js'
import type { Message } from '../../net/messages.js'
import { codeOfLater } from '../outcomes.js'
import { logIn, through } from '../net/hostile.js'
import { testRelay } from '../net/support.js'
import { closeAll, found, join, reopen, type Member } from './space-support.js'
import { poll, sampleBytes } from './support.js'

afterEach(closeAll)

const CONTENT = sampleBytes(5 * FILE_CHUNK_LENGTH + 9)
const heldHere = async ({ space }: Member): Promise<number> => [...(await space.engine.store.chunks.groups()).values()].reduce((sum, count) => sum + count, 0)

test('what the relay has goes, is fetched again as it is read, and goes again', async () => {
  const relay = await testRelay()
  let ada = await found(relay.dial)
  const bob = await join(ada, relay.dial)
  const { id } = await ada.space.files.put(CONTENT)
  await ada.space.files.settled()
  await bob.space.online()
  for (const member of [ada, bob]) {
    await poll(async () => (await member.space.files.list()).length).toBe(1)
    const file = await member.space.files.get(id)
    expect(Buffer.compare(await file.bytes(), CONTENT)).toBe(0)
    expect(await heldHere(member)).toBe(6)
    await member.space.files.release(id)
    expect([await heldHere(member), (await member.space.files.list())[0]?.local]).toEqual([0, false])
    for await (const part of file.stream({ from: 3 * FILE_CHUNK_LENGTH, to: 3 * FILE_CHUNK_LENGTH + 1 })) expect(part[0]).toBe(CONTENT[3 * FILE_CHUNK_LENGTH])
    expect(await heldHere(member)).toBe(1)
    await member.space.files.release(id) // a part of it
    expect(await heldHere(member)).toBe(0)
  }
  ada = await reopen(ada, relay.dial)
  await ada.space.online()
  expect(Buffer.compare(await (await ada.space.files.get(id)).bytes(), CONTENT)).toBe(0)
  expect(await heldHere(ada)).toBe(6)
  await ada.space.files.delete(id)
  await poll(() => heldHere(ada)).toBe(0)
  expect(await codeOfLater(ada.space.files.release(id))).toBe('unavailable')
})

test('what nobody else has stays: offline, not brought yet, or with a chunk missing there', async () => {
  const relay = await testRelay()
  let holding = true
  const dial = through(relay.dial, { toRelay: (message) => (holding && message.kind === 'bringChunk' && message.number === 4 ? [] : undefined) })
  const ada = await found(dial)
  const { id } = await ada.space.files.put(CONTENT)
  const log = await logIn(relay.store, ada.space.id)
  await poll(async () => (await log.chunks.groups()).get(id)).toBe(5)
  await expect(ada.space.files.release(id)).rejects.toMatchObject({ code: 'unavailable', facts: { reason: 'only-here' } })
  await ada.space.disconnect()
  await expect(ada.space.files.release(id)).rejects.toMatchObject({ code: 'unavailable', facts: { reason: 'offline' } })
  const lonely = await ada.space.files.put(sampleBytes(10))
  await expect(ada.space.files.release(lonely.id)).rejects.toMatchObject({ code: 'unavailable', facts: { reason: 'offline' } })
  expect(await heldHere(ada)).toBe(7)
  expect(await codeOfLater(ada.space.files.release('no id'))).toBe('bad-argument')
  holding = false
  ada.space.connect()
  await ada.space.online()
  await ada.space.files.settled()
  await ada.space.files.release(id)
  expect(await heldHere(ada)).toBe(1)
  await log.close()
})

test('a relay that says to have what it can’t show gets nothing dropped', async () => {
  const relay = await testRelay()
  const ada = await found(relay.dial)
  const { id } = await ada.space.files.put(CONTENT)
  await ada.space.files.settled()
  const lies: readonly ((message: Message) => readonly Message[] | undefined)[] = [
    (message) => (message.kind === 'chunkIs' ? [{ ...message, chunk: message.chunk.map((byte, i) => (i === 50 ? byte ^ 1 : byte)) }] : undefined),
    (message) => (message.kind === 'chunkIs' ? [{ kind: 'refused', request: message.request, code: 'no-chunk', message: 'gone' }] : undefined),
  ]
  let lie: (typeof lies)[number] = () => undefined
  const member = await reopen(ada, through(relay.dial, { toClient: (message) => lie(message) }))
  await member.space.online()
  const codes: string[] = []
  for (const next of lies) {
    lie = next
    codes.push(await codeOfLater(member.space.files.release(id)))
    expect(await heldHere(member)).toBe(6)
  }
  expect(codes).toEqual(['bad-proof', 'unavailable'])
})
