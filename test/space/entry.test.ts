import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concatBytes, encodeUtf8 } from '../../engine/codec/bytes.js'
import { sealValue } from '../../engine/crypto/aead.js'
import { decodeRecord, encodeEntry, entryHash, signEntry, spaceIdOf, verifyEntry, type Entry } from '../../engine/space/entry.js'
import { type Op } from '../../engine/space/ops/index.js'
import { MAX_ENTRY_LENGTH, MAX_OPS, MAX_READS } from '../../engine/limits.js'
import { crypto, seededRandom, table, policy } from './support.js'

const random = seededRandom(7)
const signer = crypto.signer(random(32))
const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 })
const sealed = sealValue(crypto, random(32), 1, random(24), new Uint8Array(0), encodeUtf8('x'))

const value = fc.oneof(fc.constant(null), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.double({ noNaN: true }).map((x) => x + 0), fc.string({ unit: 'grapheme' }), fc.uint8Array())
const token = fc.uint8Array({ minLength: 16, maxLength: 16 })
const id = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const tokens = fc.array(fc.record({ index: fc.integer({ min: 0, max: 65_535 }), token }), { maxLength: 3 })
const put = { table: id, rowKey: fc.uint8Array({ maxLength: 250 }), plain: fc.array(value, { maxLength: 4 }), tokens, sealed: fc.constant(sealed) }
const shape = table(1, {
  plain: [{ id: 1, type: 'integer', notNull: true }],
  indexes: [{ id: 1, kind: 'plain', unique: true, columns: [1] }],
}).table
const object = { kind: 'table' as const, parent: undefined, table: shape && { ...shape, policies: [withoutName()] } }
const op: fc.Arbitrary<Op> = fc.oneof(
  fc.record({ op: fc.constantFrom('insert' as const, 'update' as const), ...put }),
  fc.record({ op: fc.constant('delete' as const), table: id, rowKey: put.rowKey }),
  fc.record({ op: fc.constant('reseal' as const), table: id, rowKey: put.rowKey, tokens, sealed: put.sealed }),
  fc.record({ op: fc.constant('create' as const), id, object: fc.constant(object), nameToken: token, sealed: put.sealed }),
  fc.record({ op: fc.constant('replace' as const), id, object: fc.constant(object), nameToken: fc.option(token, { nil: undefined }), sealed: put.sealed }),
  fc.record({ op: fc.constant('drop' as const), id }),
  fc.record({ op: fc.constant('relay' as const), relay: fc.option(fc.record({ url: fc.webUrl(), name: fc.string(), publicKey: bytes32 }), { nil: undefined }) }),
)
const entry: fc.Arbitrary<Entry> = fc.record({
  spaceId: bytes32,
  base: fc.record({ size: fc.nat(), logRoot: bytes32, stateRoot: bytes32 }),
  device: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  devicePrev: bytes32,
  epoch: id,
  time: fc.nat(),
  adopted: fc.boolean(),
  reads: fc.array(fc.record({ prefix: fc.uint8Array({ maxLength: 255 }), root: bytes32 }), { maxLength: 3 }),
  ops: fc.array(op, { minLength: 1, maxLength: 4 }),
})

function withoutName(): Omit<ReturnType<typeof policy>, 'name'> {
  const { name: _, ...rest } = policy({ using: { kind: '=', left: { kind: 'column', of: 'row', column: 1 }, right: { kind: 'member' } } })
  return rest
}

function sample(more: Partial<Entry> = {}): Entry {
  const zeros = new Uint8Array(32)
  const base = { size: 3, logRoot: zeros, stateRoot: zeros }
  return { spaceId: zeros, base, device: 1, devicePrev: zeros, epoch: 1, time: 5, adopted: false, reads: [], ops: [{ op: 'delete', table: 1, rowKey: Uint8Array.of(9) }], ...more }
}

describe('entry encoding', () => {
  it('reads back what it wrote, and only that', () => {
    fc.assert(
      fc.property(entry, (e) => {
        const record = signEntry(e, signer)
        const decoded = decodeRecord(record)
        expect(decoded.kind).toBe('entry')
        if (decoded.kind !== 'entry') return
        expect(encodeEntry(decoded.entry)).toEqual(encodeEntry(e))
        expect(verifyEntry(crypto, decoded, signer.publicKey)).toBe(true)
      }),
      { numRuns: 150 },
    )
  })

  it('takes a changed byte for another entry or for none: whatever decodes re-encodes to itself', () => {
    const record = signEntry(sample({ reads: [{ prefix: Uint8Array.of(0x30), root: random(32) }], ops: [{ op: 'insert', table: 300, rowKey: Uint8Array.of(1), plain: [1n, 'é', 2.5, null], tokens: [], sealed }] }), signer)
    for (let at = 0; at < record.length - 64; at++) {
      for (const flip of [1, 0x80, 0xff]) {
        const changed = record.slice()
        changed[at] = (changed[at] as number) ^ flip
        const decoded = decodeRecord(changed)
        if (decoded.kind !== 'entry') continue
        expect(encodeEntry(decoded.entry)).toEqual(decoded.signed)
        expect(verifyEntry(crypto, decoded, signer.publicKey)).toBe(false)
      }
    }
  })

  it('refuses trailing bytes, truncation at every length and unknown flags', () => {
    const record = signEntry(sample(), signer)
    const body = record.subarray(0, record.length - 64)
    const signature = record.subarray(record.length - 64)
    expect(decodeRecord(concatBytes(body, Uint8Array.of(0), signature)).kind).toBe('malformed')
    for (let length = 0; length < record.length; length++) {
      expect(['malformed']).toContain(decodeRecord(record.subarray(0, length)).kind)
    }
    const flags = record.slice()
    flags[1 + 32 + 1 + 64 + 1 + 32 + 1 + 1] = 2
    expect(decodeRecord(flags).kind).toBe('malformed')
  })

  it('says too-long before it reads, and version before the rest', () => {
    expect(decodeRecord(new Uint8Array(MAX_ENTRY_LENGTH + 1)).kind).toBe('too-long')
    const other = signEntry(sample(), signer)
    other[0] = 2
    expect(decodeRecord(other).kind).toBe('version')
    expect(decodeRecord(concatBytes(Uint8Array.of(2), random(100))).kind).toBe('version')
  })

  it('refuses counts beyond the limits, and counts of what is not there, before it makes room', () => {
    const ops: Op[] = new Array<Op>(MAX_OPS + 1).fill({ op: 'drop', id: 1 })
    expect(() => encodeEntry(sample({ ops }))).toThrow(expect.objectContaining({ code: 'too-large' }) as Error)
    expect(() => encodeEntry(sample({ reads: new Array<Entry['reads'][number]>(MAX_READS + 1).fill({ prefix: new Uint8Array(0), root: new Uint8Array(32) }) }))).toThrow(
      expect.objectContaining({ code: 'too-large' }) as Error,
    )
    // 100,000 ops announced, none there.
    const record = signEntry(sample(), signer)
    const opsAt = record.length - 64 - 5
    const lying = concatBytes(record.subarray(0, opsAt), Uint8Array.of(0xa0, 0x8d, 0x06), record.subarray(record.length - 64))
    expect(decodeRecord(lying).kind).toBe('malformed')
  })

  it('needs an op, an author unless the op signs for itself, and no author then', () => {
    expect(decodeRecord(signEntry(sample({ ops: [] }), signer)).kind).toBe('malformed')
    expect(decodeRecord(signEntry(sample({ device: 0 }), signer)).kind).toBe('malformed')
  })

  it('hashes and names what was received', () => {
    const record = signEntry(sample(), signer)
    expect(entryHash(crypto, record)).toEqual(crypto.sha256(concatBytes(Uint8Array.of(0), record)))
    expect(spaceIdOf(crypto, record)).toEqual(crypto.sha256(concatBytes(encodeUtf8('sealdb/v1/space-id'), Uint8Array.of(0), record.subarray(0, record.length - 64))))
  })
})
