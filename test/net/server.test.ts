/** The relay on real sockets: operations, limits, and whoever behaves badly. After each, it serves the others. */
import { execFile } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join as joinPath } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { attachRelay } from '../../engine/space/acts.js'
import { createSpace } from '../../engine/space/open.js'
import { memoryStore } from '../../engine/store/memory.js'
import { greet } from '../../net/client.js'
import { encodeMessage } from '../../net/messages.js'
import { Rpc } from '../../net/rpc.js'
import { memoryRelayStore, startRelay, type RunningRelay, type ServerOptions } from '../../net/server.js'
import type { Dial } from '../../net/transport.js'
import { dial as dialNode, wrapSocket } from '../../net/ws-node.js'
import { createTable, optionsOf, put, rows, taskTable } from '../space/rim-support.js'
import { run, temporary } from '../cli/support.js'
import { certificate, certificateKey } from './certificate.js'
import { bodies, invited, startSync, until, type TestPeer, type TestRelay } from './support.js'

const open: { stop(): Promise<unknown> }[] = []
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.stop()
})

async function serve(options: ServerOptions = {}): Promise<RunningRelay> {
  const relay = await startRelay({ ...options })
  open.push({ stop: () => relay.close() })
  return relay
}

/** A space on a real relay, and one to invite others with. */
async function found({ url }: { readonly url: string }, name: string, dial: Dial = dialNode): Promise<TestPeer> {
  const location = memoryStore()
  const space = await createSpace(await location.open(), optionsOf(name), { name })
  const { rpc, name: relayName, publicKey } = await greet(dial, url, space.id)
  rpc.close()
  await attachRelay(space, { url, name: relayName, publicKey })
  const peer = { space, sync: startSync(space, dial, name), location }
  open.push({ stop: async () => { await peer.sync.stop(); await space.close() } })
  await (await space.commit(createTable(taskTable(1), 'table:task'), space.current)).settled
  return peer
}
const asTestRelay = (dial: Dial = dialNode): TestRelay => ({ dial }) as unknown as TestRelay
async function join(by: TestPeer, name: string, dial: Dial = dialNode): Promise<TestPeer> {
  const peer = await invited(asTestRelay(dial), by, name)
  open.push({ stop: async () => { await peer.sync.stop(); await peer.space.close() } })
  return peer
}
const say = ({ space }: TestPeer, key: number, text: string): ReturnType<typeof space.commit> => space.commit(rows(put('insert', 1, BigInt(key), 0n, text)), space.current)

const trusting: Dial = (url) => new Promise((resolve, reject) => {
  const socket = new WebSocket(url, { ca: certificate })
  socket.once('error', reject)
  socket.once('open', () => resolve(wrapSocket(socket, url)))
})

/** A connection that has proved Ada's key, with the raw socket below. */
async function proved(relay: RunningRelay, ada: TestPeer): Promise<{ readonly rpc: Rpc; readonly socket: WebSocket }> {
  const socket = new WebSocket(relay.url)
  await new Promise((resolve) => socket.once('open', resolve))
  const rpc = new Rpc(wrapSocket(socket, 'test'))
  const { relay: name, nonce } = await rpc.call({ kind: 'hello', version: 1, space: ada.space.id }, 'challenge')
  await rpc.call({ kind: 'auth', ...ada.space.signChallenge(name, nonce) }, 'welcome')
  return { rpc, socket }
}
const ending = (socket: WebSocket): Promise<{ readonly code: number; readonly reason: string }> => new Promise((resolve) => socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() })))

describe('operations', () => {
  it('serves health and metrics, nothing else, and says nothing of a space', async () => {
    const relay = await serve()
    const ada = await found(relay, 'Ada')
    const http = relay.url.replace('ws', 'http')
    const health = await fetch(`${http}/healthz`)
    expect([health.status, await health.text()]).toEqual([200, 'ok\n'])
    const text = await (await fetch(`${http}/metrics`)).text()
    expect(text).toMatch(/^sealdb_relay_entries_in_total [1-9]\d*$/m)
    expect(text).toMatch(/^# TYPE sealdb_relay_connections gauge\nsealdb_relay_connections 1$/m)
    expect(text).not.toContain(Buffer.from(ada.space.id).toString('hex').slice(0, 8))
    expect((await fetch(`${http}/else`)).status).toBe(404)
    expect((await fetch(http, { method: 'POST', body: 'x' })).status).toBe(405)
    expect(await (await fetch(`${http}/healthz`, { method: 'HEAD' })).text()).toBe('')
  })

  it('drains: what was sent is stored and answered, everybody is told, the port is free', async () => {
    const store = memoryRelayStore()
    const relay = await startRelay({ store })
    const ada = await found(relay, 'Ada')
    const { socket, rpc } = await proved(relay, ada)
    const ended = ending(socket)
    const committed = await say(ada, 1, 'the last')
    await until(() => committed.state.kind !== 'local', 'sent')
    await relay.close()
    expect(await ended).toMatchObject({ code: 4010, reason: 'the relay is shutting down' })
    expect(rpc.open).toBe(false)
    await expect(fetch(`${relay.url.replace('ws', 'http')}/healthz`)).rejects.toThrow()
    const again = await startRelay({ store, port: relay.port })
    open.push({ stop: () => again.close() })
    expect((await committed.settled).kind).toBe('relay')
    expect(bodies(ada.space.verified, 1)).toEqual(['the last'])
  })

  it('speaks TLS', async () => {
    const relay = await serve({ tls: { cert: certificate, key: certificateKey } })
    expect(relay.url).toMatch(/^wss:/)
    await expect(dialNode(relay.url)).rejects.toMatchObject({ code: 'disconnected' }) // a certificate nobody vouches for
    const ada = await found(relay, 'Ada', trusting)
    expect(ada.space.head.size).toBeGreaterThan(1)
  })

  it('speaks TLS and keeps limits when they are given on the command line; one half of a key pair is refused', async () => {
    const directory = temporary()
    const [cert, key] = [joinPath(directory, 'cert.pem'), joinPath(directory, 'key.pem')]
    writeFileSync(cert, certificate)
    writeFileSync(key, certificateKey)
    const base = ['relay', '--data', joinPath(directory, 'relay'), '--port', '0', '--json']
    expect(await run([...base, '--tls-cert', cert])).toMatchObject({ code: 2, err: expect.stringContaining('together') as string })
    const stop = new AbortController()
    let listening: (url: string) => void = () => undefined
    const first = new Promise<string>((resolve) => { listening = resolve })
    const running = run([...base, '--tls-cert', cert, '--tls-key', key, '--max-spaces', '1', '--max-connections', '2'], { stop: stop.signal, onOut: (all) => {
      const url = /"url":"([^"]+)"/.exec(all)?.[1]
      if (url !== undefined) listening(url)
    } })
    const url = await first
    expect(url).toMatch(/^wss:/)
    const ada = await found({ url }, 'Ada', trusting)
    const bea = await createSpace(await memoryStore().open(), optionsOf('Bea'), { name: 'Bea' })
    const { rpc } = await greet(trusting, url, bea.id)
    await expect(rpc.call({ kind: 'create', genesis: (await bea.records(0, 1))[0] as Uint8Array }, 'appended')).rejects.toMatchObject({ facts: { code: 'quota' } })
    rpc.close()
    await bea.close()
    const more = await Promise.all([trusting(url), trusting(url)])
    const ended = await Promise.race(more.map((connection) => new Promise<number>((resolve) => { connection.onClose = ({ code }) => resolve(code) })))
    expect(ended).toBe(4009)
    for (const connection of more) connection.close(1000, 'done')
    await ada.sync.stop()
    stop.abort()
    expect(await running).toMatchObject({ code: 0 })
  })

  it('two members over real sockets', async () => {
    const relay = await serve()
    const ada = await found(relay, 'Ada')
    const bob = await join(ada, 'Bob')
    expect((await (await say(bob, 1, 'from Bob')).settled).kind).toBe('relay')
    await until(() => bodies(ada.space.verified, 1).length === 1, 'at Ada’s')
  })

  it('a long history arrives in steps, each under a checkpoint of its own', async () => {
    const relay = await serve()
    const ada = await found(relay, 'Ada')
    for (let i = 0; i < 10; i++) await ada.space.commit(rows(put('insert', 1, BigInt(i), 0n, 'x'.repeat(1_500_000))), ada.space.current)
    await until(() => ada.space.outbox().length === 0, 'stored')
    const bob = await join(ada, 'Bob')
    expect(bodies(bob.space.verified, 1)).toHaveLength(10)
    const { rpc } = await proved(relay, ada)
    const first = await rpc.call({ kind: 'pull', from: 0, limit: 4096 }, 'entries')
    const size = Number(new TextDecoder().decode(first.note).split('\n')[1])
    expect(size).toBeLessThan(ada.space.head.size) // a step, not the head
    expect(first.records.reduce((bytes, { length }) => bytes + length, 0)).toBeLessThan(4 << 20)
    rpc.close()
  })
})

describe('bad behaviour', () => {
  it('every kind of malformed frame ends its connection with 4000, and no other', async () => {
    const relay = await serve()
    const ada = await found(relay, 'Ada')
    const canary = await proved(relay, ada)
    const good = encodeMessage({ kind: 'hello', request: 1, version: 1, space: ada.space.id })
    const frames: Uint8Array[] = [
      new Uint8Array(0), Uint8Array.of(0), Uint8Array.of(0x90), Uint8Array.of(0x91, 1), Uint8Array.of(0x92, 1, 1), Uint8Array.of(0xc1), Uint8Array.of(0x80),
      Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff), Uint8Array.of(0x93, 1, 1, 0xc6, 0xff, 0xff, 0xff, 0xff), new Uint8Array(100_000).fill(0x91), new Uint8Array(1 << 20).fill(0xff),
      good.subarray(0, good.length - 1), Uint8Array.of(...good, 0), Uint8Array.of(0x92, 99, 1), Uint8Array.of(0x94, 2, 1, 1, 0xc4, 0), Uint8Array.of(0x93, 0xd0, 0xff, 1, 1),
    ]
    for (const frame of frames) {
      const socket = new WebSocket(relay.url)
      const ended = ending(socket)
      socket.once('open', () => socket.send(frame))
      expect((await ended).code).toBe(4000)
    }
    // The same from one that is let in.
    for (const frame of frames.slice(0, 4)) {
      const { socket } = await proved(relay, ada)
      const ended = ending(socket)
      socket.send(frame)
      expect((await ended).code).toBe(4000)
    }
    expect(await canary.rpc.call({ kind: 'ping' }, 'pong')).toMatchObject({ kind: 'pong' })
    expect(relay.relay.metrics.get('malformed')).toBe(frames.length + 4)
    canary.rpc.close()
  })

  it('frames longer than an entry end the connection before they are held', async () => {
    const relay = await serve()
    const socket = new WebSocket(relay.url)
    const ended = ending(socket)
    socket.on('error', () => undefined) // the server stops reading
    socket.once('open', () => socket.send(new Uint8Array(100 << 20)))
    expect([1009, 1006]).toContain((await ended).code)
    expect((await fetch(`${relay.url.replace('ws', 'http')}/healthz`)).status).toBe(200)
  })

  it('a slow reader is dropped with a place to resume; the others get everything', async () => {
    const relay = await serve({ limits: { maxBuffered: 256 * 1024 } })
    const ada = await found(relay, 'Ada')
    const slow = await proved(relay, ada)
    const ended = ending(slow.socket)
    ;(slow.socket as unknown as { readonly _socket: { pause(): void; resume(): void } })._socket.pause()
    for (let i = 0; i < 40 && relay.relay.metrics.get('slow') === 0; i++) {
      await (await say(ada, i, 'x'.repeat(400_000))).settled
    }
    expect(relay.relay.metrics.get('slow')).toBe(1)
    ;(slow.socket as unknown as { readonly _socket: { resume(): void } })._socket.resume()
    const { code, reason } = await ended
    // It may be cut off before it reads the goodbye.
    expect([4008, 1006]).toContain(code)
    if (code === 4008) expect(reason).toMatch(/^reading too slowly; resume at \d+$/)
    await (await say(ada, 100, 'goes on')).settled
  })

  it('floods: messages, requests at once, records, connections', async () => {
    const relay = await serve({ limits: { messages: { perSecond: 1, burst: 60 }, maxInWork: 20, records: { perSecond: 1, burst: 30 }, maxConnections: 4 } })
    const ada = await found(relay, 'Ada')
    const record = (await ada.space.records(0, 1))[0] as Uint8Array
    const many = await proved(relay, ada)
    await expect(many.rpc.call({ kind: 'append', records: Array.from({ length: 31 }, () => record) }, 'appended')).rejects.toMatchObject({ facts: { code: 'rate' } })
    const ended = ending(many.socket)
    for (let i = 0; i < 100; i++) many.socket.send(encodeMessage({ kind: 'ping', request: i }))
    expect(await ended).toMatchObject({ code: 4009 })
    const sockets = Array.from({ length: 5 }, () => new WebSocket(relay.url))
    const codes = await Promise.race([Promise.any(sockets.map(ending)), new Promise<never>((_, reject) => setTimeout(() => reject(new Error('none refused')), 5_000))])
    expect(codes).toMatchObject({ code: 4009, reason: 'too many connections' })
    for (const socket of sockets) socket.terminate()
  })

  it('quotas: spaces beyond the limit are refused, those that are here served', async () => {
    const relay = await serve({ limits: { maxSpaces: 1 } })
    const ada = await found(relay, 'Ada')
    const other = await createSpace(await memoryStore().open(), optionsOf('Eve'), {})
    const { rpc } = await greet(dialNode, relay.url, other.id)
    await expect(rpc.call({ kind: 'create', genesis: (await other.records(0, 1))[0] as Uint8Array }, 'appended')).rejects.toMatchObject({ facts: { code: 'quota' } })
    rpc.close()
    const forged = await greet(dialNode, relay.url, new Uint8Array(32))
    await expect(forged.rpc.call({ kind: 'create', genesis: new Uint8Array(200) }, 'appended')).rejects.toMatchObject({ family: expect.stringMatching(/retry|refused/) as string })
    await (await say(ada, 1, 'served')).settled
    await other.close()
  })

  it('a genesis of another space founds nothing', async () => {
    const relay = await serve()
    const other = await createSpace(await memoryStore().open(), optionsOf('Eve'), {})
    const genesis = (await other.records(0, 1))[0] as Uint8Array
    const { rpc } = await greet(dialNode, relay.url, new Uint8Array(32).fill(7))
    await expect(rpc.call({ kind: 'create', genesis }, 'appended')).rejects.toMatchObject({ code: 'disconnected', facts: { code: 4000 } })
    expect((await greet(dialNode, relay.url, new Uint8Array(32).fill(7))).known).toBe(false)
    await other.close()
  })

  it('who proves nothing in time is let go; spaces that nobody listens to leave memory and come back', async () => {
    const relay = await serve({ limits: { handshakeTime: -1, maxIdleRooms: 0 } })
    const ada = await found(relay, 'Ada')
    await (await say(ada, 1, 'before')).settled
    const idle = new WebSocket(relay.url)
    await new Promise((resolve) => idle.once('open', resolve))
    const ended = ending(idle)
    await until(() => relay.relay.metrics.format().includes('sealdb_relay_connections 2'), 'connected')
    await relay.relay.sweep()
    expect(await ended).toMatchObject({ code: 4003 })
    expect(relay.relay.metrics.format()).toContain('sealdb_relay_rooms 1')
    await ada.sync.stop()
    await until(() => relay.relay.metrics.format().includes('sealdb_relay_connections 0'), 'gone')
    await relay.relay.sweep()
    expect(relay.relay.metrics.format()).toContain('sealdb_relay_rooms 0')
    ada.sync.start()
    await (await say(ada, 2, 'after')).settled
    expect(bodies(ada.space.verified, 1)).toEqual(['before', 'after'])
  })

  it('bytes in work are bounded, for one connection and for all', async () => {
    const relay = await serve({ limits: { maxInWorkBytes: 100_000, maxInWorkTotal: 150_000 } })
    const ada = await found(relay, 'Ada')
    const { socket } = await proved(relay, ada)
    const ended = ending(socket)
    for (let i = 0; i < 4; i++) socket.send(encodeMessage({ kind: 'append', request: i + 1, records: [new Uint8Array(60_000)] }))
    expect(await ended).toMatchObject({ code: 4009 })
    await until(() => relay.relay.metrics.format().includes('sealdb_relay_bytes_in_work 0'), 'given back')
    await (await say(ada, 1, 'served')).settled
  })

  it('frames that never end are bounded, for all together: whoever holds most is cut off, and nobody else', async () => {
    const relay = await serve({ limits: { maxUnfinishedTotal: 4_000_000 } })
    const ada = await found(relay, 'Ada')
    await (await say(ada, 1, 'x'.repeat(1_000_000))).settled
    const idle = Array.from({ length: 6 }, () => new WebSocket(relay.url))
    await Promise.all(idle.map((socket) => new Promise((resolve) => socket.once('open', resolve))))
    const ended: number[] = []
    idle.forEach((socket, i) => socket.once('close', () => ended.push(i)))
    // None has proved a key. The fourth holds most when there is too much.
    for (const [i, length] of [900_000, 900_000, 900_000, 1_500_000].entries()) idle[i]?.send(new Uint8Array(length), { fin: false })
    await until(() => ended.length === 1, 'one is cut off')
    expect(ended).toEqual([3])
    for (const i of [4, 5]) idle[i]?.send(new Uint8Array(300_000), { fin: false })
    // Whole frames, however many, are no part of it.
    for (let i = 0; i < 8; i++) await (await say(ada, 10 + i, 'y'.repeat(300_000))).settled
    expect(ended).toEqual([3])
    expect(relay.relay.metrics.get('flood')).toBe(1)
    for (const socket of idle) socket.terminate()
  })

  const raw = fileURLToPath(new URL('../../../shared/tools/ws-raw.mjs', import.meta.url))
  it.runIf(existsSync(raw))('every case of RFC 6455 from a raw socket', async () => {
    const relay = await serve()
    // Those that wait longest only on request.
    const only = process.env.SEALDB_EXHAUSTIVE ? [] : ['--only', '^(?!garbage|deflate bomb|300 idle)']
    const { stdout } = await promisify(execFile)(process.execPath, [raw, '--url', relay.url, ...only], { maxBuffer: 1 << 24 }).catch((error: { stdout: string }) => error)
    expect(stdout.trim().split('\n').at(-1)).toMatch(/^1?\d\d passed, 0 failed$/)
    expect(stdout).not.toContain('FAIL')
  })
})
