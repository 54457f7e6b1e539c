/** A WebSocket proxy that the demo puts between a member and a relay: it can send everybody somewhere else, and it can lie. */
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'

export interface Proxy {
  readonly url: string
  /** Where new connections go. */
  target: string
  /** What becomes of a frame from the relay to the member. */
  tamper: ((frame: Buffer) => Buffer) | undefined
  /** End every connection, as a network does. */
  cut(): void
  close(): Promise<void>
}

export async function startProxy(target: string): Promise<Proxy> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await new Promise<void>((resolve) => server.once('listening', resolve))
  const proxy: Proxy = {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    target,
    tamper: undefined,
    cut: () => { for (const client of server.clients) client.terminate() },
    close: () => new Promise((resolve) => {
      for (const client of server.clients) client.terminate()
      server.close(() => resolve())
    }),
  }
  server.on('connection', (member) => {
    const relay = new WebSocket(proxy.target)
    const early: Buffer[] = []
    member.on('message', (data: Buffer) => {
      if (relay.readyState === WebSocket.OPEN) relay.send(data)
      else early.push(data)
    })
    relay.on('open', () => { for (const data of early.splice(0)) relay.send(data) })
    relay.on('message', (data: Buffer) => { if (member.readyState === WebSocket.OPEN) member.send(proxy.tamper?.(data) ?? data) })
    relay.on('close', () => member.close())
    member.on('close', () => relay.close())
    relay.on('error', () => member.close())
    member.on('error', () => relay.close())
  })
  return proxy
}
