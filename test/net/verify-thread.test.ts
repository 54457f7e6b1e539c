/** The thread for signatures: it says what this one would, and where it is not there, dies, is full or ends, this one says it. */
import { spawn } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { bundleOptions } from '../../build.entries.js'
import { utf8 } from '../crypto/support.js'
import { greet } from '../../net/client.js'
import { createJudge } from '../../net/relay/judge.js'
import { memoryRelayStore } from '../../net/relay/stores/memory.js'
import { FEWEST_HANDED, VerifyThread } from '../../net/relay/verify-thread.js'
import { concatBytes } from '../../engine/codec/bytes.js'
import { labelled, LABELS } from '../../engine/crypto/labels.js'
import type { SignedRecord } from '../../engine/space/aside.js'
import { dial } from '../../net/ws-node.js'
import { createTable, put, rows, seededRandom, taskTable } from '../space/rim-support.js'
import { crypto, founder, stopAll, testRelay, until, type TestPeer } from './support.js'

const place = mkdtempSync(join(tmpdir(), 'sealdb-thread-'))
afterAll(() => rmSync(place, { recursive: true }))
const threads: VerifyThread[] = []
const peers: TestPeer[] = []
afterEach(async () => {
  await stopAll(peers)
  for (const thread of threads.splice(0)) await thread.close()
})

const signers = ['Ada', 'Bob', 'Eve'].map((name) => crypto.signer(crypto.sha256(utf8(name))))
const signed = (signer: number, body: Uint8Array): SignedRecord => {
  const by = signers[signer] as (typeof signers)[number]
  return { record: concatBytes(body, by.sign(labelled(LABELS.entry, body))), publicKey: by.publicKey }
}
const GOOD = Array.from({ length: 60 }, (_, i) => signed(i % 2, utf8(`message ${i}`)))
const forged = { record: concatBytes(utf8('other'), signed(2, utf8('one')).record.subarray(3)), publicKey: (signers[2] as (typeof signers)[number]).publicKey }

interface Started { readonly thread: VerifyThread; readonly failures: string[]; clock: number }
function started(url?: URL, patience?: number): Started {
  const failures: string[] = []
  const made: Started = { failures, clock: 1_000_000, thread: new VerifyThread({ crypto, now: () => made.clock, onFailed: ({ message }) => failures.push(message), url, patience }) }
  threads.push(made.thread)
  return made
}

/** A worker that says it is ready and does `what` with what it is given. */
function worker(name: string, what: string): URL {
  const file = join(place, `${name}.mjs`)
  writeFileSync(file, `import { parentPort } from 'node:worker_threads'\nparentPort.on('message', (batch) => { ${what} })\nparentPort.postMessage({ kind: 'ready' })\n`)
  return pathToFileURL(file)
}

async function ready({ thread }: Started): Promise<void> {
  await thread.good(GOOD)
  await until(() => thread.verifying, 'the thread is there')
}

describe('the thread', () => {
  it('says which are good, leaves to others what is long, and spoils nobody for one who forges', async () => {
    const it = started()
    expect(it.thread.verifying).toBe(false)
    expect(await it.thread.good(GOOD)).toEqual(GOOD.map(() => true)) // done here
    await ready(it)
    expect(await it.thread.good(GOOD)).toEqual(GOOD.map(() => true))
    expect(await it.thread.good([...GOOD.slice(0, 30), forged, ...GOOD.slice(30)])).toEqual([...GOOD.slice(0, 30).map(() => true), false, ...GOOD.slice(30).map(() => true)])
    const long = signed(2, new Uint8Array(9_000))
    const short = { ...signed(2, utf8('short')), record: new Uint8Array(64) }
    expect(await it.thread.good([long, ...GOOD, short])).toEqual([false, ...GOOD.map(() => true), false])
    expect(await it.thread.good(Array.from({ length: FEWEST_HANDED }, () => long))).toEqual(Array.from({ length: FEWEST_HANDED }, () => false))
    expect(await it.thread.good([])).toEqual([])
    expect(it.failures).toEqual([])
  })

  it('is waited for, batch by batch in any number, and all of what it has is done here when it ends', async () => {
    const it = started(worker('silent', ''))
    await ready(it)
    const handed = Array.from({ length: 8 }, (_, i) => it.thread.good(i % 2 === 0 ? GOOD : [...GOOD, forged]))
    let answered = 0
    for (const one of handed) void one.then(() => { answered++ })
    // It has enough before it: the ninth is done here, at once.
    expect(await it.thread.good(GOOD)).toEqual(GOOD.map(() => true))
    expect(answered).toBe(0)
    await it.thread.close()
    expect(await Promise.all(handed)).toEqual(handed.map((_, i) => (i % 2 === 0 ? GOOD.map(() => true) : [...GOOD.map(() => true), false])))
    expect(await it.thread.good([...GOOD, forged])).toEqual([...GOOD.map(() => true), false])
    expect([it.thread.verifying, it.failures]).toEqual([false, []])
  })

  it.each([
    ['ends', 'process.exit(3)', /ended with code 3/],
    ['throws', 'throw new Error("no more")', /no more/],
  ])('that %s with batches before it loses none, is told of, and starts anew after a minute', async (name, what, told) => {
    const it = started(worker(name, what))
    await ready(it)
    const both = [it.thread.good(GOOD), it.thread.good([...GOOD, forged])]
    expect(await Promise.all(both)).toEqual([GOOD.map(() => true), [...GOOD.map(() => true), false]])
    expect(it.failures).toEqual([expect.stringMatching(told)])
    it.clock += 59_999
    expect(await it.thread.good(GOOD)).toEqual(GOOD.map(() => true))
    expect(it.thread.verifying).toBe(false)
    it.clock += 1
    await ready(it)
    expect(it.failures).toHaveLength(1)
  })

  it('that does not answer counts as dead, and what it has is done here', async () => {
    const it = started(worker('mute', ''), 50)
    await ready(it)
    expect(await Promise.all([it.thread.good(GOOD), it.thread.good([...GOOD, forged])])).toEqual([GOOD.map(() => true), [...GOOD.map(() => true), false]])
    expect([it.thread.verifying, it.failures]).toEqual([false, [expect.stringMatching(/not answered for 50 ms/)]])
  })

  it.each([
    ['is not there', pathToFileURL(join(place, 'nowhere.mjs')), /nowhere/],
    ['is nothing to run', new URL('https://example.org/worker.mjs'), /./],
  ])('whose code %s is told of once, and everything is done here', async (_, url, told) => {
    const it = started(url)
    for (let i = 0; i < 2; i++) expect(await it.thread.good([...GOOD, forged])).toEqual([...GOOD.map(() => true), false])
    await until(() => it.failures.length > 0, 'the failure')
    expect(await it.thread.good(GOOD)).toEqual(GOOD.map(() => true))
    expect(it.failures).toEqual([expect.stringMatching(told)])
  })
})

/** As the package has it: the thread's code is a file of its own, beside the chunks. */
it('starts in a built relay', async () => {
  const dist = join(place, 'dist')
  await build({ ...bundleOptions('node', { relay: 'net/server.ts', cli: 'net/cli/main.ts', 'verify-worker': 'net/relay/verify-worker.ts' }), outdir: dist })
  symlinkSync(realpathSync('node_modules'), join(place, 'node_modules'))
  writeFileSync(join(place, 'package.json'), '{ "type": "module" }')
  const child = spawn(process.execPath, ['-e', `import('./dist/relay.js').then(({ startRelay }) => startRelay({ name: 'relay.test', log: console.error })).then(({ url }) => console.log(url))`], { cwd: place })
  try {
    let said = ''
    let told = ''
    child.stdout.on('data', (data: Buffer) => { said += data.toString() })
    child.stderr.on('data', (data: Buffer) => { told += data.toString() })
    await until(() => said.includes('\n'), 'it listens')
    const url = said.trim()
    const ada = await founder({ dial: () => dial(url) }, 'built Ada')
    peers.push(ada)
    await (await ada.space.commit(createTable(taskTable(1), 'table:task'), ada.space.current)).settled
    await ada.sync.stop()
    for (let i = 1n; i <= 40n; i++) await ada.space.commit(rows(put('insert', 1, i, 0n, `row ${i}`)), ada.space.current)
    ada.sync.start()
    await until(() => ada.space.outbox().length === 0, 'all is stored')
    const metrics = async (): Promise<string> => (await fetch(`${url.replace('ws:', 'http:')}/metrics`)).text()
    let found = ''
    for (let i = 0; i < 200 && !found.includes('sealdb_relay_verify_threads 1'); i++) {
      found = await metrics()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect([found.match(/verify_threads \d/)?.[0], told]).toEqual(['verify_threads 1', ''])
  } finally {
    child.kill()
  }
})

describe('a relay with a thread', () => {
  /** The same sixty records of one device, one of them forged, to a relay that has the thread. */
  async function placed(thread: VerifyThread | undefined): Promise<{ readonly stored: readonly number[]; readonly refused: readonly string[]; readonly size: number; readonly state: string }> {
    const store = memoryRelayStore()
    const judge = await createJudge({ store, name: 'relay.test', random: seededRandom('thread'), verify: 'full', crypto, thread })
    const relay = await testRelay({ store, judge })
    const ada = await founder(relay, 'thread Ada')
    peers.push(ada)
    await (await ada.space.commit(createTable(taskTable(1), 'table:task'), ada.space.current)).settled
    const { rpc, name, nonce } = await greet(relay.dial, 'memory:', ada.space.id)
    await rpc.call({ kind: 'auth', ...ada.space.signChallenge(name, nonce) }, 'welcome')
    await ada.sync.stop()
    for (let i = 1n; i <= 60n; i++) await ada.space.commit(rows(put('insert', 1, i, 0n, `row ${i}`)), ada.space.current)
    const records = ada.space.outbox().map(({ record }) => record)
    const bad = Uint8Array.from(records[40] as Uint8Array)
    bad[bad.length - 1] = (bad.at(-1) as number) ^ 1
    const sent = [...records.slice(0, 40), bad, ...records.slice(40)]
    const answers = await Promise.all([0, 20, 40].map((from) => rpc.call({ kind: 'append', records: sent.slice(from, from === 40 ? undefined : from + 20) }, 'appended')))
    const { size, note } = await rpc.call({ kind: 'pull', from: 0, limit: 1000 }, 'entries').then(({ records: all, note: last }) => ({ size: all.length, note: last }))
    rpc.close()
    return { stored: answers.map(({ stored }) => stored), refused: answers.map(({ refused }) => refused), size, state: Buffer.from(note).toString('latin1').split('\n').slice(1, 4).join(' ') }
  }

  it('gives the verdicts of one without, also of one whose thread dies at it', async () => {
    const without = await placed(undefined)
    expect(without.stored).toEqual([20, 20, 20])
    expect(without.refused).toEqual(['', '', expect.stringMatching(/^ignored\(signature/)])
    const [lives, dies] = [started(), started(worker('dying', 'process.exit(1)'))]
    await ready(lives)
    await ready(dies)
    expect(await placed(lives.thread)).toEqual(without)
    expect(lives.failures).toEqual([])
    expect(await placed(dies.thread)).toEqual(without)
    expect(dies.failures).toHaveLength(1)
  })
})
