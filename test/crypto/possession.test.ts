import { describe, expect, it } from 'vitest'
import type { CryptoProvider } from '../../engine/crypto/provider.js'
import {
  agreementKey, POSSESSION_KINDS, POSSESSION_LENGTH, type PossessionContext, provePossession, verifyPossession,
} from '../../engine/crypto/verifiable.js'
import { concatBytes } from '../../engine/codec/bytes.js'
import { flipped, PROVIDERS, seeded } from './support.js'

const random = seeded('possession')
const [noble, node, sodium] = PROVIDERS as [CryptoProvider, CryptoProvider, CryptoProvider]
const signer = noble.signer(random(32))
const key = agreementKey(noble, random(32))
const context: PossessionContext = {
  space: random(32), kind: 'invitation', admitter: random(32), id: 9, role: 'writer', base: { size: 3, logRoot: random(32), stateRoot: random(32) },
}
const proof = provePossession(noble, context, signer, key, random)
const refused = (provider: CryptoProvider, changed: Partial<PossessionContext>, signing: Uint8Array, agreement: Uint8Array, bytes: Uint8Array, code = 'bad-proof') =>
  expect(() => verifyPossession(provider, { ...context, ...changed }, signing, agreement, bytes)).toThrowError(expect.objectContaining({ code }))

describe('proof of possession', () => {
  it('is made and checked by any provider', () => {
    for (const prover of PROVIDERS) {
      const made = provePossession(prover, context, prover.signer(new Uint8Array(32).fill(1)), key, random)
      expect(made.length).toBe(POSSESSION_LENGTH)
      const signing = noble.signer(new Uint8Array(32).fill(1)).publicKey
      for (const verifier of PROVIDERS) expect(verifyPossession(verifier, context, signing, key.publicKey, made).agreement).toEqual(key.publicKey)
    }
  })

  it('refuses every changed byte and length', () => {
    for (let at = 0; at < proof.length; at++) {
      const provider = at % 8 === 0 ? sodium : node
      refused(provider, {}, signer.publicKey, key.publicKey, flipped(proof, at, 0x01))
    }
    for (const bytes of [proof.subarray(1), concatBytes(proof, Uint8Array.of(0)), new Uint8Array(0)]) refused(node, {}, signer.publicKey, key.publicKey, bytes)
  })

  it('is bound to the whole admission', () => {
    const changes: readonly Partial<PossessionContext>[] = [
      { space: flipped(context.space, 1) }, { admitter: flipped(context.admitter, 1) }, { id: 10 }, { role: 'admin' },
      { base: { ...context.base, size: 4 } }, { base: { ...context.base, logRoot: random(32) } }, { base: { ...context.base, stateRoot: random(32) } },
      ...POSSESSION_KINDS.filter((kind) => kind !== 'invitation' && kind !== 'genesis').map((kind) => ({ kind })),
    ]
    for (const change of changes) refused(node, change, signer.publicKey, key.publicKey, proof)
  })

  it('in a genesis, is the founder’s own: nobody else admits them', () => {
    const founding = { ...context, kind: 'genesis', admitter: signer.publicKey } as const
    const own = provePossession(noble, founding, signer, key, random)
    for (const provider of PROVIDERS) expect(verifyPossession(provider, founding, signer.publicKey, key.publicKey, own).agreement).toEqual(key.publicKey)
    expect(() => provePossession(noble, { ...founding, admitter: context.admitter }, signer, key, random)).toThrowError(expect.objectContaining({ code: 'bad-argument' }))
    refused(node, { kind: 'genesis' }, signer.publicKey, key.publicKey, own, 'bad-argument')
  })

  it('is one of both keys: a second agreement key of the same signer needs its own, and the reverse', () => {
    refused(node, {}, signer.publicKey, agreementKey(noble, random(32)).publicKey, proof)
    refused(node, {}, noble.signer(random(32)).publicKey, key.publicKey, proof)
    const other = agreementKey(noble, random(32))
    const mixed = concatBytes(proof.subarray(0, 64), provePossession(noble, context, signer, other, random).subarray(64))
    refused(node, {}, signer.publicKey, key.publicKey, mixed)
  })

  it('can not be made for −P1, of which the attacker knows no secret', () => {
    const { group } = noble
    const negated = group.encodePoint(group.subtractPoints(group.identity, group.decodePoint(key.publicKey)))
    // The best that a thief of the proof can do: sign honestly for −P with a Schnorr part copied from P, or its own.
    const own = agreementKey(noble, random(32))
    const claimed = { secret: own.secret, publicKey: negated }
    for (const provider of PROVIDERS) refused(provider, {}, signer.publicKey, negated, provePossession(noble, context, signer, claimed, random))
    const signature = provePossession(noble, context, signer, claimed, random).subarray(0, 64)
    refused(node, {}, signer.publicKey, negated, concatBytes(signature, proof.subarray(64)))
  })

  it('refuses keys that may not be admitted, before looking at the proof', () => {
    const smallOrder = new Uint8Array(32)
    smallOrder[0] = 1
    for (const bad of [smallOrder, new Uint8Array(32), new Uint8Array(32).fill(0xff), new Uint8Array(31), flipped(signer.publicKey.map(() => 2), 0, 0)]) {
      refused(node, {}, bad, key.publicKey, proof, 'bad-key')
    }
    for (const bad of [new Uint8Array(32), new Uint8Array(32).fill(0xff), new Uint8Array(33)]) refused(node, {}, signer.publicKey, bad, proof, 'bad-key')
  })
})
