/** How much a relay checks (`--verify`), and that nothing a relay sees says anything in the clear. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { greet } from '../../net/client.js'
import type { Verify } from '../../net/relay/judge.js'
import { fileRelayStore } from '../../net/relay/stores/file.js'
import { memoryRelayStore } from '../../net/relay/stores/memory.js'
import type { Rpc } from '../../net/rpc.js'
import { createSpace, joinSpace, memoryStore } from '../../index.js'
import { createTable, put, rows, taskTable } from '../space/rim-support.js'
import { through } from './hostile.js'
import { bodies, founder, invited, stopAll, testRelay, until, type TestPeer, type TestRelay } from './support.js'

const peers: TestPeer[] = []
afterEach(() => stopAll(peers))

async function proved(relay: TestRelay, { space }: TestPeer): Promise<Rpc> {
  const { rpc, name, nonce } = await greet(relay.dial, 'memory:', space.id)
  await rpc.call({ kind: 'auth', ...space.signChallenge(name, nonce) }, 'welcome')
  return rpc
}

describe.each<[Verify, { readonly rejected: number; readonly ignored: number }]>([
  ['full', { rejected: 0, ignored: 0 }],
  ['group', { rejected: 1, ignored: 0 }],
  ['unsafe-none', { rejected: 1, ignored: 1 }],
])('--verify %s', (verify, takes) => {
  it('stores what it should, refuses the rest with the verdict, and clients end the same', async () => {
    const relay = await testRelay({ verify })
    const ada = await founder(relay, 'Ada')
    peers.push(ada)
    await (await ada.space.commit(createTable(taskTable(1), 'table:task'), ada.space.current)).settled
    const bob = await invited(relay, ada, 'Bob')
    peers.push(bob)
    await (await ada.space.commit(rows(put('insert', 1, 1n, 0n, 'start')), ada.space.current)).settled
    await until(() => bob.space.head.size === ada.space.head.size, 'in step')
    await bob.sync.stop()
    await bob.space.commit(rows(put('update', 1, 1n, 0n, 'from Bob')), bob.space.current)
    const late = (bob.space.outbox()[0] as { readonly record: Uint8Array }).record
    await (await ada.space.commit(rows(put('update', 1, 1n, 0n, 'from Ada')), ada.space.current)).settled
    const rpc = await proved(relay, bob)
    const size = ada.space.head.size
    expect(await rpc.call({ kind: 'append', records: [late] }, 'appended')).toMatchObject({ stored: takes.rejected, refused: takes.rejected ? '' : (expect.stringMatching(/^rejected\(conflict/) as string) })
    const forged = Uint8Array.from(late)
    forged[forged.length - 1] = (forged.at(-1) as number) ^ 1
    const answer = await rpc.call({ kind: 'append', records: [forged] }, 'appended')
    expect(answer.stored).toBe(takes.ignored)
    if (!takes.ignored) expect(answer.refused).toMatch(/^ignored\(/)
    rpc.close()
    await until(() => ada.space.head.size === size + takes.rejected + takes.ignored, 'followed')
    expect(bodies(ada.space.verified, 1)).toEqual(['from Ada'])
    bob.sync.start()
    await until(() => bob.space.head.size === ada.space.head.size && bob.space.outbox().length === 0, 'in step')
    expect(Buffer.from(bob.space.head.stateRoot).toString('hex')).toBe(Buffer.from(ada.space.head.stateRoot).toString('hex'))
  })
})

it('a relay that checks in full takes back a log in which another stored rejected entries', async () => {
  const loose = await testRelay({ verify: 'group' })
  const ada = await founder(loose, 'Ada')
  peers.push(ada)
  await (await ada.space.commit(createTable(taskTable(1), 'table:task'), ada.space.current)).settled
  const bob = await invited(loose, ada, 'Bob')
  peers.push(bob)
  await (await ada.space.commit(rows(put('insert', 1, 1n, 0n, 'start')), ada.space.current)).settled
  await until(() => bob.space.head.size === ada.space.head.size, 'in step')
  await bob.sync.stop()
  await bob.space.commit(rows(put('update', 1, 1n, 0n, 'from Bob')), bob.space.current)
  const { record } = bob.space.outbox()[0] as { readonly record: Uint8Array }
  await (await ada.space.commit(rows(put('update', 1, 1n, 0n, 'from Ada')), ada.space.current)).settled
  const rpc = await proved(loose, bob)
  await rpc.call({ kind: 'append', records: [record] }, 'appended')
  rpc.close()
  await until(() => ada.space.head.size === bob.space.head.size + 2, 'followed')
  // The same key and nothing else: what a restored, stricter relay is.
  const empty = memoryRelayStore()
  await empty.setOnce('signer', (await loose.store.get('signer')) as Uint8Array)
  const fresh = await testRelay({ verify: 'full', store: empty })
  const { rpc: back } = await greet(fresh.dial, 'memory:', ada.space.id)
  const records = await ada.space.records(0, ada.space.head.size)
  await back.call({ kind: 'create', genesis: records[0] as Uint8Array }, 'appended')
  expect(await back.call({ kind: 'restore', from: 1, records: records.slice(1) }, 'appended')).toMatchObject({ stored: records.length - 1, refused: '' })
  back.close()
})

it('no frame and no file of the relay holds a value, a name or SQL in the clear (A19)', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sealdb-hunt-'))
  const store = fileRelayStore(directory)
  const relay = await testRelay({ store })
  const frames: Uint8Array[] = []
  const dial = through(relay.dial, {}, (frame) => frames.push(frame))
  const space = await createSpace({ store: memoryStore(), relay: 'ws://relay.test', profile: { name: 'CanaryPerson', device: 'CanaryDevice' }, unsafe: { dial } })
  await space.exec('CREATE TABLE canary_table (id INTEGER PRIMARY KEY, canary_column TEXT, canary_number REAL)')
  await space.exec("INSERT INTO canary_table (canary_column, canary_number) VALUES ('canary value', 12345.6789)")
  await space.exec('CREATE INDEX canary_index ON canary_table (canary_column)')
  const other = await joinSpace(await space.invite({ role: 'writer' }), { store: memoryStore(), profile: { name: 'CanaryOther' }, unsafe: { dial } })
  await other.exec("UPDATE canary_table SET canary_column = 'canary changed'")
  await until(() => other.engine.outbox().length === 0 && space.engine.head.size === other.engine.head.size, 'in step')
  await space.close()
  await other.close()
  await relay.relay.drain()
  const number = Buffer.alloc(8)
  number.writeDoubleBE(12345.6789)
  const needles = [...['canary', 'Canary', 'CREATE', 'TABLE', 'INSERT', 'UPDATE', 'INTEGER PRIMARY', '12345.6789'].map((text) => Buffer.from(text)), Buffer.from('canary', 'utf16le'), number, Buffer.from(number).reverse()]
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map(({ parentPath, name }) => readFileSync(join(parentPath, name)))
  expect(frames.length).toBeGreaterThan(20)
  expect(files.some(({ length }) => length > 1_000)).toBe(true)
  for (const bytes of [...frames, ...files]) for (const needle of needles) expect(Buffer.from(bytes).includes(needle), needle.toString('latin1')).toBe(false)
  rmSync(directory, { recursive: true, force: true })
})
