/** What every transport promises (net/transport.ts), run on each by `transport.test.ts`. */
import { expect, it } from 'vitest'
import type { Closing, Connection } from '../../net/transport.js'
import { until } from './support.js'

export function transportConformance(pair: () => Promise<readonly [Connection, Connection]>): void {
  const listen = (connection: Connection): { readonly frames: Uint8Array[]; readonly closings: Closing[] } => {
    const heard = { frames: [] as Uint8Array[], closings: [] as Closing[] }
    connection.onFrame = (frame) => heard.frames.push(Uint8Array.from(frame))
    connection.onClose = (closing) => heard.closings.push(closing)
    return heard
  }

  it('carries frames whole and in order, both ways, also those sent before anybody listened', async () => {
    const [a, b] = await pair()
    const fromB = listen(a)
    const lengths = [0, 1, 125, 126, 65_535, 65_536, 1 << 20]
    for (const length of lengths) a.send(new Uint8Array(length).fill(length % 251))
    const fromA = listen(b)
    for (let i = 0; i < 100; i++) b.send(Uint8Array.of(i))
    await until(() => fromA.frames.length === lengths.length && fromB.frames.length === 100, 'all arrive')
    expect(fromA.frames.map(({ length }) => length)).toEqual(lengths)
    expect(fromA.frames.every((frame) => frame.every((byte) => byte === frame.length % 251))).toBe(true)
    expect(fromB.frames.map(([byte]) => byte)).toEqual(Array.from({ length: 100 }, (_, i) => i))
    a.close(1000, 'done')
  })

  it('what was sent may be changed afterwards without changing what arrives', async () => {
    const [a, b] = await pair()
    const heard = listen(b)
    listen(a)
    const frame = new Uint8Array(100).fill(7)
    a.send(frame.slice())
    frame.fill(9)
    await until(() => heard.frames.length === 1, 'arrives')
    expect(heard.frames[0]).toEqual(new Uint8Array(100).fill(7))
    a.close(1000, 'done')
  })

  it('closing: what was sent before arrives, each end is told once, then nothing more', async () => {
    const [a, b] = await pair()
    const [atA, atB] = [listen(a), listen(b)]
    a.send(Uint8Array.of(1))
    a.close(4003, 'because')
    a.close(4000, 'again')
    a.send(Uint8Array.of(2))
    await until(() => atA.closings.length > 0 && atB.closings.length > 0, 'both told')
    b.send(Uint8Array.of(3))
    b.close(1000, 'late')
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(atB).toEqual({ frames: [Uint8Array.of(1)], closings: [{ code: 4003, reason: 'because' }] })
    expect(atA.frames).toEqual([])
    expect(atA.closings).toHaveLength(1)
    expect(a.buffered).toBe(0)
  })

  it('a reason too long for its frame is cut between characters', async () => {
    const [a, b] = await pair()
    const heard = listen(b)
    listen(a)
    a.close(4000, '’'.repeat(200))
    await until(() => heard.closings.length === 1, 'told')
    expect(heard.closings[0]?.reason).toMatch(/^’+$/)
  })
}
