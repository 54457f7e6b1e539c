/** Transports against their port: in memory, and WebSocket over a real socket. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { connectionPair, shortReason, type Connection } from '../../net/transport.js'
import { dial as dialNode, wrapSocket } from '../../net/ws-node.js'
import { transportConformance } from './transport.conformance.js'

describe('memory transport', () => {
  transportConformance(() => Promise.resolve(connectionPair()))
})

describe('WebSocket transport', () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  let url = ''
  beforeAll(async () => {
    if (server.address() === null) await once(server, 'listening')
    url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => server.close())
  transportConformance(async () => {
    const accepted = new Promise<Connection>((resolve) => server.once('connection', (socket) => resolve(wrapSocket(socket, 'peer'))))
    return Promise.all([dialNode(url), accepted])
  })

  it('text ends the connection', async () => {
    const accepted = new Promise<Connection>((resolve) => server.once('connection', (socket) => resolve(wrapSocket(socket, 'peer'))))
    const client = new WebSocket(url)
    const ended = new Promise<number>((resolve) => client.once('close', resolve))
    client.once('open', () => client.send('text'))
    const connection = await accepted
    connection.onFrame = () => expect.unreachable()
    expect(await ended).toBe(1003)
  })

  it('what is sent in one go, and nothing else, is written at once; a frame before the end of a connection arrives', async () => {
    const accepted = new Promise<Connection>((resolve) => server.once('connection', (socket, request) => {
      const writes: number[] = []
      const { socket: below } = request
      const writev = below._writev?.bind(below)
      below._writev = (chunks, done) => {
        writes.push(chunks.length)
        writev?.(chunks, done)
      }
      resolve(Object.assign(wrapSocket(socket, 'peer', below), { writes }))
    }))
    const client = await dialNode(url)
    const frames: number[] = []
    client.onFrame = ([first]) => frames.push(first as number)
    const connection = await accepted as Connection & { readonly writes: number[] }
    for (let i = 0; i < 20; i++) connection.send(Uint8Array.of(i))
    expect(connection.buffered).toBeGreaterThan(20)
    await new Promise((resolve) => setImmediate(resolve))
    expect(connection.writes).toEqual([40]) // header and frame
    expect(connection.buffered).toBe(0)
    const ended = new Promise((resolve) => { client.onClose = resolve })
    connection.send(Uint8Array.of(20))
    connection.close(4000, 'enough')
    expect(await ended).toEqual({ code: 4000, reason: 'enough' })
    expect(frames).toEqual(Array.from({ length: 21 }, (_, i) => i))
    connection.send(Uint8Array.of(21)) // ended: nothing happens
  })

  it('what is no address of a relay is refused as one of ours, whoever gave it', async () => {
    for (const bad of ['', 'localhost:7700', 'http://127.0.0.1:1', 'foo:bar', 'ws://', 'ws://127.0.0.1:99999', 'ws://127.0.0.1:1/#x']) {
      await expect(dialNode(bad)).rejects.toMatchObject({ name: 'SealError', code: 'bad-argument' })
    }
  })

  it('an address without a server, an aborted dial: disconnected', async () => {
    await expect(dialNode('ws://127.0.0.1:1')).rejects.toMatchObject({ code: 'disconnected', family: 'retry' })
    await expect(dialNode(url, AbortSignal.abort())).rejects.toMatchObject({ code: 'disconnected' })
  })
})

it('a reason fits into a close frame, whatever it holds', () => {
  for (const text of ['x'.repeat(500), 'é'.repeat(100), '€'.repeat(100), '😀'.repeat(100), '\ud800'.repeat(100), 'short']) {
    const bytes = new TextEncoder().encode(shortReason(text))
    expect(bytes.length).toBeLessThanOrEqual(123)
    expect(() => new TextDecoder('utf-8', { fatal: true }).decode(bytes)).not.toThrow()
  }
})
