import { describe, expect, it } from 'vitest'
import { concatBytes, encodeHex } from '../../engine/codec/bytes.js'
import { deriveEpochSecrets } from '../../engine/crypto/kdf.js'
import type { CryptoProvider, Scalar } from '../../engine/crypto/provider.js'
import { encodeScalar, GROUP_ORDER } from '../../engine/crypto/scalar.js'
import {
  agreementKey, deliveryLength, GRANT_LENGTH, type GrantStatement, newEpochSecret, openDelivery, openGrant, openPair, type ProofContext, proveDelivery,
  proveGrant, verifyDelivery, verifyGrant,
} from '../../engine/crypto/verifiable.js'
import { type DeliveryLie, forgeDelivery, forgeGrant, type GrantLie } from './forger.js'
import { flipped, PROVIDERS, seeded } from './support.js'

const random = seeded('verifiable')
const [noble, , sodium] = PROVIDERS as [CryptoProvider, CryptoProvider, CryptoProvider]
/** Node has noble's group: two distinct implementations. sodium is the quicker, so mutations run there, and a sample on noble. */
const GROUPS = [noble, sodium]

const context: ProofContext = {
  space: random(32), epoch: 7, author: random(32), base: { size: 41, logRoot: random(32), stateRoot: random(32) },
}
const keys = Array.from({ length: 5 }, () => agreementKey(noble, random(32)))
const recipients = keys.map((key) => key.publicKey)
const secret = newEpochSecret(noble, random)
const delivery = proveDelivery(noble, context, recipients, secret, random)

const changedContexts: readonly (readonly [string, ProofContext])[] = [
  ['space', { ...context, space: flipped(context.space, 0) }],
  ['epoch', { ...context, epoch: 8 }],
  ['author', { ...context, author: flipped(context.author, 31) }],
  ['base size', { ...context, base: { ...context.base, size: 42 } }],
  ['base log root', { ...context, base: { ...context.base, logRoot: flipped(context.base.logRoot, 3) } }],
  ['base state root', { ...context, base: { ...context.base, stateRoot: flipped(context.base.stateRoot, 3) } }],
]

const minus = (provider: CryptoProvider, point: Uint8Array) =>
  provider.group.encodePoint(provider.group.subtractPoints(provider.group.identity, provider.group.decodePoint(point)))

describe('delivery', () => {
  it.each([1, 2, 3, 10])('reaches %i recipients, between any two providers, at a constant proof size', (count) => {
    const holders = Array.from({ length: count }, () => agreementKey(noble, random(32)))
    const to = holders.map((key) => key.publicKey)
    for (const prover of GROUPS) {
      const sent = proveDelivery(prover, context, to, secret, random)
      expect(sent.length).toBe(deliveryLength(count))
      for (const verifier of PROVIDERS) {
        const checked = verifyDelivery(verifier, context, to, sent)
        expect(checked.pairs.length).toBe(count)
        holders.forEach((holder, i) => expect(openDelivery(verifier, checked, i, holder)).toEqual(secret))
      }
    }
  })

  it('is the same for the same randomness, whatever the provider', () => {
    const [a, b] = GROUPS.map((provider) => encodeHex(proveDelivery(provider, context, recipients, secret, seeded('same'))))
    expect(a).toBe(b)
  })

  it('derives the same epoch secrets everywhere, D and L apart, bound to space and epoch', () => {
    const of = (provider: CryptoProvider, epoch: number) => deriveEpochSecrets(provider, secret, context.space, epoch)
    for (const provider of PROVIDERS) expect(of(provider, 7)).toEqual(of(noble, 7))
    expect(of(noble, 7).data).not.toEqual(of(noble, 7).link)
    expect(of(noble, 7).data).not.toEqual(of(noble, 8).data)
  })

  it('refuses every changed byte', () => {
    for (let at = 0; at < delivery.length; at++) {
      for (const mask of [0x01, 0x80]) {
        expect(() => verifyDelivery(sodium, context, recipients, flipped(delivery, at, mask)), `byte ${at}`).toThrowError(
          expect.objectContaining({ code: 'bad-proof' }),
        )
      }
    }
    for (let at = 0; at < delivery.length; at += 16) {
      expect(() => verifyDelivery(noble, context, recipients, flipped(delivery, at, 2))).toThrowError(expect.objectContaining({ code: 'bad-proof' }))
    }
  })

  it.each(changedContexts)('is bound to the %s', (_, changed) => {
    for (const provider of GROUPS) expect(() => verifyDelivery(provider, changed, recipients, delivery)).toThrowError(expect.objectContaining({ code: 'bad-proof' }))
  })

  it('refuses recipients left out, added, permuted, replaced or repeated', () => {
    const [p0, p1, ...rest] = recipients as [Uint8Array, Uint8Array]
    const other = agreementKey(noble, random(32)).publicKey
    for (const list of [recipients.slice(1), recipients.slice(0, -1), [...recipients, other], [p1, p0, ...rest], [other, p1, ...rest]]) {
      expect(() => verifyDelivery(sodium, context, list, delivery)).toThrowError(expect.objectContaining({ code: 'bad-proof' }))
    }
    expect(() => verifyDelivery(sodium, context, [p0, p0, ...rest], delivery)).toThrowError(expect.objectContaining({ code: 'bad-key' }))
    expect(() => proveDelivery(sodium, context, [p0, p0, ...rest], secret, random)).toThrowError(expect.objectContaining({ code: 'bad-key' }))
    expect(() => verifyDelivery(sodium, context, [], delivery)).toThrowError(expect.objectContaining({ code: 'bad-argument' }))
    expect(() => verifyDelivery(sodium, context, Array<Uint8Array>(4097).fill(p0), delivery)).toThrowError(expect.objectContaining({ code: 'too-large' }))
  })

  it('refuses ciphertexts that are permuted, and a shortened or lengthened delivery', () => {
    const swapped = concatBytes(delivery.subarray(0, 32), delivery.subarray(64, 96), delivery.subarray(32, 64), delivery.subarray(96))
    for (const bytes of [swapped, delivery.subarray(0, -32), delivery.subarray(0, -1), concatBytes(delivery, new Uint8Array(32)), new Uint8Array(0)]) {
      expect(() => verifyDelivery(sodium, context, recipients, bytes)).toThrowError(expect.objectContaining({ code: 'bad-proof' }))
    }
  })

  it('refuses an identity, non-canonical or short recipient', () => {
    const bad = [new Uint8Array(32), new Uint8Array(32).fill(0xff), flipped(recipients[1] as Uint8Array, 0), new Uint8Array(31)]
    for (const provider of GROUPS) {
      for (const key of bad) {
        const list = [recipients[0] as Uint8Array, key, ...recipients.slice(2)]
        expect(() => verifyDelivery(provider, context, list, delivery)).toThrowError(expect.objectContaining({ code: 'bad-key' }))
        expect(() => proveDelivery(provider, context, list, secret, random)).toThrowError(expect.objectContaining({ code: 'bad-key' }))
      }
    }
  })

  it.each(GROUPS)('refuses C0 = 0 though both equations hold ($name)', (provider) => {
    // r = 0: C0 = 0, every Ci = S. A = B = 0 and z = 0 satisfy the equations for every challenge.
    const zero = new Uint8Array(32)
    const open = concatBytes(zero, ...recipients.map(() => secret), zero, zero, zero)
    expect(() => verifyDelivery(provider, context, recipients, open)).toThrowError(expect.objectContaining({ code: 'bad-proof', facts: { reason: 'identity' } }))
  })

  describe.each(GROUPS)('of a liar whose proof is right in all else ($name)', (provider) => {
    const s = noble.group.decodePoint(secret)
    const verify = (lie: DeliveryLie) => verifyDelivery(provider, context, recipients, forgeDelivery(context, recipients, s, 77n, 99n, lie))
    const refusedFor = (reason: string) => expect.objectContaining({ code: 'bad-proof', facts: { reason } }) as Error

    it('is accepted without a lie: the specification and the code agree', () => {
      expect(openDelivery(provider, verify({}), 1, keys[1] as (typeof keys)[number])).toEqual(secret)
    })
    it('is refused if one recipient gets another S', () => {
      expect(() => verify({ last: noble.group.addPoints(s, noble.group.base) })).toThrowError(refusedFor('second equation'))
      expect(() => verify({ last: noble.group.identity })).toThrowError(refusedFor('second equation'))
    })
    it('is refused if C0 is of another r: nobody could open it', () => {
      expect(() => verify({ c0: 78n })).toThrowError(refusedFor('first equation'))
    })
  })

  it('refuses z + L, the same scalar written another way', () => {
    const z = delivery.slice(-32)
    const value = BigInt('0x' + encodeHex(z.reverse())) + GROUP_ORDER
    const again = concatBytes(delivery.subarray(0, -32), encodeScalar(value))
    expect(() => verifyDelivery(sodium, context, recipients, again)).toThrowError(expect.objectContaining({ code: 'bad-proof', facts: { reason: 'encoding' } }))
  })

  it('to one recipient has X = Y = B = 0 and refuses any other B', () => {
    const [key] = keys as [ReturnType<typeof agreementKey>]
    for (const provider of GROUPS) {
      const sent = proveDelivery(provider, context, [key.publicKey], secret, random)
      expect(sent.subarray(96, 128)).toEqual(new Uint8Array(32))
      expect(openDelivery(provider, verifyDelivery(provider, context, [key.publicKey], sent), 0, key)).toEqual(secret)
      const wrongB = concatBytes(sent.subarray(0, 96), recipients[1] as Uint8Array, sent.subarray(128))
      expect(() => verifyDelivery(provider, context, [key.publicKey], wrongB)).toThrowError(expect.objectContaining({ code: 'bad-proof' }))
    }
  })

  it('gives another S to a holder of another key, and refuses to open in its name', () => {
    const checked = verifyDelivery(sodium, context, recipients, delivery)
    const thief = agreementKey(noble, random(32))
    expect(() => openDelivery(sodium, checked, 0, thief)).toThrowError(expect.objectContaining({ code: 'bad-argument' }))
    expect(openPair(sodium, checked.pairs[0] as { c0: Uint8Array; c: Uint8Array }, thief)).not.toEqual(secret)
  })

  it('to P and −P publishes 2S: why possession is required', () => {
    const negated = minus(noble, recipients[0] as Uint8Array)
    const pairs = verifyDelivery(noble, context, [recipients[0] as Uint8Array, negated], proveDelivery(noble, context, [recipients[0] as Uint8Array, negated], secret, random)).pairs
    const [c1, c2] = pairs.map((pair) => noble.group.decodePoint(pair.c))
    const sum = noble.group.addPoints(c1 as NonNullable<typeof c1>, c2 as NonNullable<typeof c2>)
    const s = noble.group.decodePoint(secret)
    expect(noble.group.equalPoints(sum, noble.group.addPoints(s, s))).toBe(true)
  })
})

describe('grant', () => {
  const newcomer = agreementKey(noble, random(32))
  const granter = keys[2] as (typeof keys)[number]
  const pair = verifyDelivery(sodium, context, recipients, delivery).pairs[2] as { c0: Uint8Array; c: Uint8Array }
  const statement: GrantStatement = { granter: granter.publicKey, pair, recipient: newcomer.publicKey }
  const grant = proveGrant(noble, context, statement, granter, random)
  const refused = (provider: CryptoProvider, c: ProofContext, s: GrantStatement, bytes: Uint8Array, code = 'bad-proof') =>
    expect(() => verifyGrant(provider, c, s, bytes)).toThrowError(expect.objectContaining({ code }))

  it('gives S, between any two providers, and the newcomer grants in turn', () => {
    for (const prover of GROUPS) {
      const sent = proveGrant(prover, context, statement, granter, random)
      expect(sent.length).toBe(GRANT_LENGTH)
      for (const verifier of PROVIDERS) {
        const checked = verifyGrant(verifier, context, statement, sent)
        expect(openGrant(verifier, checked, newcomer)).toEqual(secret)
        const third = agreementKey(verifier, random(32))
        const next = { granter: newcomer.publicKey, pair: checked.pair, recipient: third.publicKey }
        const onward = verifyGrant(verifier, context, next, proveGrant(verifier, context, next, newcomer, random))
        expect(openGrant(verifier, onward, third)).toEqual(secret)
      }
    }
  })

  it('refuses every changed byte', () => {
    for (let at = 0; at < grant.length; at++) for (const mask of [0x01, 0x80]) refused(sodium, context, statement, flipped(grant, at, mask))
    for (let at = 0; at < grant.length; at += 16) refused(noble, context, statement, flipped(grant, at, 2))
    for (const bytes of [grant.subarray(0, -1), grant.subarray(0, -32), concatBytes(grant, new Uint8Array(32)), new Uint8Array(0)]) refused(sodium, context, statement, bytes)
  })

  it.each(changedContexts)('is bound to the %s', (_, changed) => {
    for (const provider of GROUPS) refused(provider, changed, statement, grant)
  })

  it('is bound to granter, pair and recipient', () => {
    const other = agreementKey(noble, random(32)).publicKey
    refused(sodium, context, { ...statement, granter: other }, grant)
    refused(sodium, context, { ...statement, recipient: other }, grant)
    refused(sodium, context, { ...statement, pair: { ...pair, c: other } }, grant)
    refused(sodium, context, { ...statement, pair: { ...pair, c0: other } }, grant)
    refused(sodium, context, { ...statement, recipient: statement.granter }, grant, 'bad-key')
    refused(sodium, context, { ...statement, recipient: new Uint8Array(32) }, grant, 'bad-key')
  })

  describe.each(GROUPS)('of a liar whose proof is right in all else ($name)', (provider) => {
    const forge = (p: Scalar, t: Scalar, lie: GrantLie) => forgeGrant(context, statement, p, t, [55n, 66n], lie)
    const refusedFor = (bytes: Uint8Array, reason: string) =>
      expect(() => verifyGrant(provider, context, statement, bytes)).toThrowError(expect.objectContaining({ code: 'bad-proof', facts: { reason } }))

    it('is accepted without a lie: the specification and the code agree', () => {
      expect(openGrant(provider, verifyGrant(provider, context, statement, forge(granter.secret, 44n, {})), newcomer)).toEqual(secret)
    })
    it('is refused if it grants another S', () => {
      refusedFor(forge(granter.secret, 44n, { extra: noble.group.base }), 'third equation')
    })
    it('is refused if the granter’s secret was not used: whoever reads the state could grant some S', () => {
      refusedFor(forge(4242n, 44n, {}), 'second equation')
    })
    it('is refused if D0 is of another t: the newcomer could not open it', () => {
      refusedFor(forge(granter.secret, 44n, { d0: 45n }), 'first equation')
    })
    it('is refused with t = 0, which publishes S, though all equations hold', () => {
      refusedFor(forge(granter.secret, 0n, {}), 'identity')
    })
  })

  it('is made only by the granter and opened only by the recipient', () => {
    expect(() => proveGrant(sodium, context, statement, newcomer, random)).toThrowError(expect.objectContaining({ code: 'bad-argument' }))
    expect(() => openGrant(sodium, verifyGrant(sodium, context, statement, grant), granter)).toThrowError(expect.objectContaining({ code: 'bad-argument' }))
  })
})
