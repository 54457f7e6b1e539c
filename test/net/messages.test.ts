/** Frames and messages: every message round-trips; everything else is `bad-frame` and nothing but. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isSealError } from '../../engine/errors.js'
import { MAX_FRAME_ITEMS, MAX_SEALED_CHUNK_LENGTH } from '../../engine/limits.js'
import { decodeMessage, encodeMessage, type Message } from '../../net/messages.js'
import { decodeFrame, encodeFrame } from '../../net/wire.js'

const bytes = (length: number, fill = 7): Uint8Array => new Uint8Array(length).fill(fill)
const MESSAGES: readonly Message[] = [
  { kind: 'hello', request: 1, version: 1, space: bytes(32) },
  { kind: 'auth', request: 2, device: 3, signature: bytes(64) },
  { kind: 'authInvitation', request: 2, invitation: 3, signature: bytes(64) },
  { kind: 'create', request: 3, genesis: bytes(300) },
  { kind: 'challenge', request: 1, relay: 'relay.example', publicKey: bytes(32), nonce: bytes(32), known: true },
  { kind: 'welcome', request: 2, size: 2 ** 40, note: bytes(200) },
  { kind: 'pull', request: 9, from: 0, limit: 1000 },
  { kind: 'append', request: 10, records: [bytes(1), bytes(200), bytes(70_000)] },
  { kind: 'restore', request: 10, from: 4, records: [] },
  { kind: 'entries', request: 0, from: 12, records: Array.from({ length: 40 }, (_, i) => bytes(i)), note: bytes(100) },
  { kind: 'appended', request: 10, index: 5, stored: 3, refused: '' },
  { kind: 'checkpointIs', request: 3, note: bytes(100), root: bytes(32), consistency: [bytes(32), bytes(32)] },
  { kind: 'snapshot', request: 5, size: 12 },
  { kind: 'snapshotIs', request: 5, manifest: bytes(100) },
  { kind: 'rows', request: 6, size: 12, from: 0, count: 900 },
  { kind: 'rowsAre', request: 6, proof: bytes(70_000) },
  { kind: 'refused', request: 3, code: 'denied', message: 'no' },
  { kind: 'chunk', request: 5, file: bytes(32), number: 7 },
  { kind: 'bringChunk', request: 6, file: bytes(32), number: 7, proof: Array.from({ length: 15 }, () => bytes(32)), chunk: bytes(70_000) },
  { kind: 'heldChunks', request: 7, file: bytes(32) },
  { kind: 'wantedFiles', request: 8, after: bytes(0) },
  { kind: 'chunkIs', request: 5, proof: [], chunk: bytes(16) },
  { kind: 'chunkTaken', request: 6 },
  { kind: 'heldAre', request: 7, bits: bytes(4096) },
  { kind: 'wantedAre', request: 8, files: [bytes(32), bytes(32)] },
  { kind: 'ping', request: 4 },
]

function refused(frame: Uint8Array): boolean {
  try {
    decodeMessage(frame)
    return false
  } catch (error) {
    if (isSealError(error, 'bad-frame')) return true
    throw error
  }
}

describe('messages', () => {
  it.each(MESSAGES)('$kind round-trips', (message) => {
    expect(decodeMessage(encodeMessage(message))).toEqual(message)
  })

  it('every cut, and every addition, is refused', () => {
    for (const message of MESSAGES) {
      const frame = encodeMessage(message)
      for (let length = 0; length < Math.min(frame.length, 400); length++) expect(refused(frame.subarray(0, length)), message.kind).toBe(true)
      expect(refused(Uint8Array.of(...frame.subarray(0, 500), ...frame.subarray(500), 0)), message.kind).toBe(true)
    }
  })

  it('any changed byte gives a message or bad-frame, never another error', () => {
    fc.assert(
      fc.property(fc.constantFrom(...MESSAGES), fc.nat(), fc.nat(255), (message, at, value) => {
        const frame = Uint8Array.from(encodeMessage(message))
        frame[at % frame.length] = value
        refused(frame)
      }),
      { numRuns: 3000 },
    )
  })

  it('random bytes are refused before anything is allocated', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (frame) => void refused(frame)), { numRuns: 3000 })
    expect(refused(Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff))).toBe(true) // four thousand million items
    expect(refused(Uint8Array.of(0x91, 0xc6, 0xff, 0xff, 0xff, 0xff))).toBe(true) // four gigabytes
    expect(refused(new Uint8Array(100_000).fill(0x91))).toBe(true) // nesting
    expect(refused(Uint8Array.of(0x81, 0xa9, ...new TextEncoder().encode('__proto__'), 0x01))).toBe(true) // maps
    expect(refused(Uint8Array.of(0x92, 0x11, 0xd4, 0x00, 0x00))).toBe(true) // extension types
  })

  it('numbers are counts of up to 48 bits, however they are written', () => {
    const pull = (...from: number[]): Uint8Array => Uint8Array.of(0x94, encodeMessage({ kind: 'pull', request: 9, from: 0, limit: 1 })[1] as number, 9, ...from, 1)
    const u64 = (value: bigint): number[] => [0xcf, ...[56n, 48n, 40n, 32n, 24n, 16n, 8n, 0n].map((shift) => Number((value >> shift) & 0xffn))]
    const f64 = (value: number): number[] => [0xcb, ...new Uint8Array(new Float64Array([value]).buffer).reverse()]
    for (const most of [u64(2n ** 48n - 1n), f64(2 ** 48 - 1)]) expect(decodeMessage(pull(...most))).toEqual({ kind: 'pull', request: 9, from: 2 ** 48 - 1, limit: 1 })
    expect(decodeMessage(pull(...u64(3n)))).toMatchObject({ from: 3 })
    for (const bad of [u64(2n ** 48n), u64(2n ** 63n), u64(2n ** 64n - 1n), f64(2 ** 48), f64(2 ** 60), f64(-1), f64(0.5), f64(NaN), f64(Infinity), [0xd0, 0xff], [0xff], [0xc0], [0xc3]]) expect(refused(pull(...bad)), String(bad)).toBe(true)
  })

  it('texts over their limit, lists of lists, and more items than any message has are refused', () => {
    const challenge = { kind: 'challenge', request: 1, publicKey: bytes(32), nonce: bytes(32), known: true } as const
    expect([255, 256].map((length) => refused(encodeMessage({ ...challenge, relay: 'x'.repeat(length) })))).toEqual([false, true])
    const append = encodeMessage({ kind: 'append', request: 10, records: [] })
    for (const inner of [[0x90], [0x01], [0xa0], [0xc0], [0xc2], [0xcc, 1], [0xcb, 0, 0, 0, 0, 0, 0, 0, 0]]) expect(refused(Uint8Array.of(...append.subarray(0, -1), 0x91, ...inner)), String(inner)).toBe(true)
    const listOf = (count: number): Uint8Array => {
      const frame = new Uint8Array(5 + 2 * count)
      frame.set([0xdd, count >>> 24, count >>> 16, count >>> 8, count])
      for (let at = 5; at < frame.length; at += 2) frame[at] = 0xc4
      return frame
    }
    expect(decodeFrame(listOf(MAX_FRAME_ITEMS - 1))).toHaveLength(MAX_FRAME_ITEMS - 1)
    expect(() => decodeFrame(listOf(MAX_FRAME_ITEMS))).toThrow(/too many items/)
  })

  it('bytes of a list are copies, however many share a block, and as long as they were', () => {
    const records = [0, 1, 300, 16_383, 16_384, 16_385, 40_000, 7, 0, 5_000, 5_000, 5_000, 5_000, 2].map((length, i) => new Uint8Array(length).fill(i + 1))
    const frame = encodeMessage({ kind: 'append', request: 1, records })
    const pooled = new Uint8Array(frame.length + 20).fill(0xff) // as a socket's buffer has it: in the midst of others' bytes
    pooled.set(frame, 10)
    const decoded = decodeMessage(pooled.subarray(10, 10 + frame.length))
    pooled.fill(0xee)
    expect(decoded).toEqual({ kind: 'append', request: 1, records })
    if (decoded.kind !== 'append') expect.unreachable()
    for (const record of decoded.records) {
      expect(record.buffer).not.toBe(pooled.buffer)
      expect(record.buffer.byteLength).toBeLessThan(16 * 1024 + record.length + 40_000) // nobody keeps the whole frame by keeping one
    }
    const many = decodeMessage(encodeMessage({ kind: 'append', request: 1, records: Array.from({ length: 500 }, () => new Uint8Array(300)) }))
    if (many.kind !== 'append') expect.unreachable()
    for (const record of many.records) expect(record.buffer.byteLength).toBeLessThanOrEqual(16 * 1024 + 303)
  })

  it('chunks, proofs and ids over their limits are refused', () => {
    const base = { kind: 'bringChunk', request: 6, file: bytes(32), number: 0, proof: [], chunk: bytes(17) } as const
    expect(refused(encodeMessage({ ...base, chunk: bytes(MAX_SEALED_CHUNK_LENGTH) }))).toBe(false)
    for (const over of [{ chunk: bytes(MAX_SEALED_CHUNK_LENGTH + 1) }, { proof: Array.from({ length: 16 }, () => bytes(32)) }, { proof: [bytes(33)] }, { file: bytes(31) }, { number: 2 ** 48 }]) {
      expect(refused(encodeMessage({ ...base, ...over }))).toBe(true)
    }
    for (const wrong of [{ kind: 'heldAre', request: 1, bits: bytes(4097) }, { kind: 'wantedFiles', request: 1, after: bytes(33) }, { kind: 'wantedAre', request: 1, files: Array.from({ length: 1025 }, () => bytes(32)) }] as const) {
      expect(refused(encodeMessage(wrong))).toBe(true)
    }
  })

  it('wrong kinds of field are refused', () => {
    for (const values of [[17], [17, -1], [17, 1.5], [17, 0, 1], [99, 0], ['ping', 0], [1, 0, 1, bytes(31)], [1, 0, '1', bytes(32)], [10, 0, 2 ** 48 + 2, 1]]) {
      expect(refused(encodeFrame(values as never))).toBe(true)
    }
    expect(decodeFrame(encodeFrame([2 ** 40, 0]))).toEqual([2 ** 40, 0])
  })
})
