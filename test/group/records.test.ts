/** Records and ops of the group as bytes: what is written is read back, and nothing else is read. The link likewise. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeEpoch, encodeEpoch, EPOCH_REASONS } from '../../engine/group/epochs.js'
import { decodeGrave, encodeGrave } from '../../engine/group/graves.js'
import { decodeHistory, encodeHistory } from '../../engine/group/history.js'
import { decodeInvitation, encodeInvitation, INVITATION_KINDS } from '../../engine/group/invites.js'
import { formatLink, type InvitationLink, parseLink } from '../../engine/group/link.js'
import { decodeSealedName, encodeSealedName } from '../../engine/group/names.js'
import { buildForget, buildRemoval, buildRepair, buildRotate } from '../../engine/group/build-epoch.js'
import { buildInvite, buildProfile, buildRefresh } from '../../engine/group/builders.js'
import { decodePair, encodePair } from '../../engine/group/pairs.js'
import { decodeRepair, encodeRepair } from '../../engine/group/repairs.js'
import { Reader, Writer } from '../../engine/codec/canonical.js'
import { SealError } from '../../engine/errors.js'
import { opCodec, readOp, writeOp, type Op } from '../../engine/space/ops/index.js'
import { ROLES } from '../../engine/state/roster.js'
import { crypto, flip, World } from './world.js'

const b32 = fc.uint8Array({ minLength: 32, maxLength: 32 })
const id = fc.nat(0xffffffff)
const bytes = fc.uint8Array({ maxLength: 100 })
const index = fc.nat(2 ** 40)

/** Every value comes back, and every shortening, lengthening and change of a byte is refused or is another value. */
function roundTrip<T>(arbitrary: fc.Arbitrary<T>, encode: (value: T) => Uint8Array, decode: (bytes: Uint8Array) => T): void {
  fc.assert(
    fc.property(arbitrary, fc.nat(), (value, at) => {
      const encoded = encode(value)
      expect(decode(encoded)).toEqual(value)
      expect(() => decode(Uint8Array.from([...encoded, 0]))).toThrow(SealError)
      expect(() => decode(encoded.subarray(0, at % encoded.length || encoded.length - 1))).toThrow(SealError)
      const other = flip(encoded, at % encoded.length)
      try {
        expect(encode(decode(other))).toEqual(other)
      } catch (error) {
        expect(error).toBeInstanceOf(SealError)
      }
    }),
    { numRuns: 60, seed: 7 },
  )
}

describe('records', () => {
  it('of invitations', () => {
    const kind = fc.constantFrom(...INVITATION_KINDS)
    const role = fc.constantFrom(...ROLES)
    roundTrip(fc.record({ kind, issuer: id, role, signing: b32, agreement: b32, createdAt: index, usesLeft: index, expiresAt: index }), encodeInvitation, decodeInvitation)
  })
  it('of epochs', () => {
    const generations = fc.array(fc.record({ generation: id, commitment: b32 }), { maxLength: 2 })
    const reason = fc.constantFrom(...EPOCH_REASONS)
    const commitments = fc.record({ data: b32, link: b32 })
    const record = { startedAt: index, author: id, reason, c0: b32, commitments, lastForget: id, linksFrom: id, link: bytes, generations, blinding: bytes }
    roundTrip(fc.record(record), encodeEpoch, decodeEpoch)
  })
  it('of pairs, graves, repairs and names', () => {
    roundTrip(fc.record({ epoch: id, c0: b32, c: b32 }), encodePair, decodePair)
    roundTrip(fc.record({ holder: fc.constantFrom('device' as const, 'invitation' as const), id, use: fc.constantFrom('signing' as const, 'agreement' as const) }), encodeGrave, decodeGrave)
    roundTrip(fc.record({ device: id, box: bytes }), encodeRepair, decodeRepair)
    roundTrip(fc.record({ by: id, sealed: bytes }), encodeSealedName, (x) => decodeSealedName(x) ?? { by: -1, sealed: x })
  })
  it('of history', () => {
    const [data, link] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
    const one = [{ epoch: 4, data, link }]
    const three = [2, 3, 4].map((epoch) => ({ epoch, data: new Uint8Array(32).fill(epoch), link: undefined }))
    expect(decodeHistory(encodeHistory(one), 4, 5)).toEqual(one)
    expect(decodeHistory(encodeHistory(three), 2, 5)).toEqual(three)
    for (const [from, to] of [[3, 5], [1, 5], [2, 4]] as const) {
      expect(() => decodeHistory(encodeHistory(one), from, to)).toThrow(SealError)
      expect(() => decodeHistory(encodeHistory(three), from, to)).toThrow(SealError)
    }
    for (const bad of [new Uint8Array(0), new Uint8Array(33).fill(2), new Uint8Array(64), encodeHistory(one).subarray(0, -1)]) expect(() => decodeHistory(bad, 4, 5)).toThrow(SealError)
  })
})

describe('ops', () => {
  const { world, founder } = World.found(5)
  world.must(founder, [buildRotate(world.ctx(founder))])
  const ctx = world.ctx(founder)
  const { op: invite, secret } = buildInvite(ctx, { kind: 'member', role: 'reader', uses: 3, expiresAt: 99 })
  const removal = world.admit(founder)
  const ops: Op[] = [
    invite,
    { op: 'invite.revoke', invitation: 300 },
    world.joinRecord(world.invite(founder)).op,
    { op: 'member.role', member: 3, from: 'reader', to: 'admin' },
    ...buildRemoval(world.ctx(founder), { members: [2], devices: [removal.device + 1] }).ops,
    buildRepair(world.ctx(founder), 2, 'blinding'),
    ...buildForget(world.ctx(founder), 2).ops,
    buildRefresh(world.ctx(founder)).op,
    buildProfile(world.ctx(founder), 'device', 1, 'phone'),
  ]

  it('are read as they were written, and no other way', () => {
    expect(new Set(ops.map((op) => opCodec(op).tag)).size).toBe(11)
    for (const op of ops) {
      const encoded = write(op)
      expect(read(encoded)).toEqual(op)
      expect(write(read(encoded))).toEqual(encoded)
      for (let at = 0; at < encoded.length; at += 1 + Math.floor(encoded.length / 50)) {
        expect(() => read(encoded.subarray(0, at))).toThrow(SealError)
        let other: Op
        try {
          other = read(flip(encoded, at))
        } catch (error) {
          expect(error).toBeInstanceOf(SealError)
          continue
        }
        expect(write(other)).toEqual(flip(encoded, at))
      }
    }
    expect(secret.length).toBe(32)
  })

  it('refuse a change of role that is none, and enumerations out of bounds', () => {
    expect(() => read(Uint8Array.of(0x14, 3, 1, 1))).toThrow(/two different roles/)
    for (const bad of [[0x14, 3, 0, 4], [0x1c, 2, 1, 0], [0x19, 2, 2, 0], [0x12, 0x80, 0x00]]) expect(() => read(Uint8Array.from(bad))).toThrow(SealError)
  })

  function write(op: Op): Uint8Array {
    const writer = new Writer()
    writeOp(writer, op)
    return writer.finish()
  }
  function read(encoded: Uint8Array): Op {
    const reader = new Reader(encoded)
    const op = readOp(reader)
    reader.end()
    return op
  }
})

describe('a link', () => {
  const anchor = { size: 12, logRoot: new Uint8Array(32).fill(3), stateRoot: new Uint8Array(32).fill(4) }
  const relay = { url: 'wss://relay.example:7700/x', name: 'relay.example', publicKey: new Uint8Array(32).fill(5) }
  const link: InvitationLink = { spaceId: new Uint8Array(32).fill(1), invitation: 7, secret: new Uint8Array(32).fill(2), anchor, relay, note: new Uint8Array(200).fill(6) }
  const bare: InvitationLink = { ...link, relay: undefined, note: undefined }

  it('comes back, from any page, with blanks around it', () => {
    for (const each of [link, bare]) {
      expect(parseLink(crypto, formatLink(crypto, each))).toEqual(each)
      expect(parseLink(crypto, `\n ${formatLink(crypto, each, 'https://example.org/join')} `)).toEqual(each)
    }
    expect(formatLink(crypto, bare)).toMatch(/^sealdb:join#[A-Za-z0-9_-]{180,240}$/)
  })

  it('that was cut, mistyped or is something else is told, at every place', () => {
    const text = formatLink(crypto, bare)
    const fragment = text.indexOf('#') + 1
    for (let at = fragment; at < text.length; at++) {
      expect(() => parseLink(crypto, text.slice(0, at))).toThrow(SealError)
      const digit = text[at] === 'A' ? 'B' : 'A'
      expect(() => parseLink(crypto, text.slice(0, at) + digit + text.slice(at + 1))).toThrow(SealError)
    }
    for (const bad of ['', '#', 'hello', 'a#b#c', `${text}=`, `${text}AAAA`, text.replace('#', '#%'), 'x'.repeat(20_000)]) expect(() => parseLink(crypto, bad)).toThrow(SealError)
  })

  it('has no relay address that hides its meaning, and bounded parts', () => {
    for (const url of ['', 'relay', 'ws://a b', 'ws://a\u0000', 'ws://\u202Eexample', 'WS://x'.repeat(1)]) expect(() => formatLink(crypto, { ...link, relay: { ...relay, url } })).toThrow(SealError)
    expect(() => formatLink(crypto, link, 'https://x/#y')).toThrow(/fragment/)
    expect(() => formatLink(crypto, { ...link, note: new Uint8Array(8_193) })).toThrow(SealError)
    expect(() => formatLink(crypto, { ...link, note: new Uint8Array(8_192) }, `https://x/${'y'.repeat(9_000)}`)).toThrow(/shorter/)
  })
})
