import { describe, expect, it } from 'vitest'
import { concatBytes, encodeHex } from '../../engine/codec/bytes.js'
import { type KeyBoxContext, openHpke, openKeyBox, peekKeyBox, sealHpke, sealKeyBox } from '../../engine/crypto/hpke.js'
import { flipped, hex, PROVIDERS, seeded, utf8 } from './support.js'

describe.each(PROVIDERS)('HPKE: $name', (crypto) => {
  it('RFC 9180 A.2.1, sequence number 0', () => {
    const info = hex('4f6465206f6e2061204772656369616e2055726e')
    const aad = hex('436f756e742d30')
    const plaintext = hex('4265617574792069732074727574682c20747275746820626561757479')
    const secret = hex('8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb')
    const publicKey = hex('4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a')
    const ikmE = hex('909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b')
    const sealed = sealHpke(crypto, publicKey, info, aad, ikmE, plaintext)
    expect(encodeHex(sealed)).toBe(
      '1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a' +
        '1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28',
    )
    expect(crypto.x25519PublicKey(secret)).toEqual(publicKey)
    expect(openHpke(crypto, secret, info, aad, sealed)).toEqual(plaintext)
  })

  const random = seeded('box')
  const secret = random(32)
  const context: KeyBoxContext = { type: 'epoch-secret', space: random(32), epoch: 300, recipient: crypto.x25519PublicKey(secret), creator: random(32) }
  const plaintext = utf8('a secret of thirty-two bytes len')
  const box = sealKeyBox(crypto, context, random(32), plaintext)

  it('a key box opens in its context and says what it is', () => {
    expect(openKeyBox(crypto, context, secret, box)).toEqual(plaintext)
    expect(peekKeyBox(box)).toEqual(context)
  })

  it('a key box refuses every changed byte and length', () => {
    for (let at = 0; at < box.length; at++) {
      const codes = ['open-failed', 'bad-encoding', 'unsupported-version', 'too-large']
      try {
        openKeyBox(crypto, context, secret, flipped(box, at))
        expect.unreachable(`byte ${at}`)
      } catch (error) {
        expect(codes, `byte ${at}`).toContain((error as { readonly code?: string }).code)
      }
    }
    for (const cut of [1, 16, 40, 60]) expect(() => openKeyBox(crypto, context, secret, box.subarray(0, -cut))).toThrowError(expect.objectContaining({ code: 'open-failed' }))
    expect(() => openKeyBox(crypto, context, secret, concatBytes(box, Uint8Array.of(0)))).toThrowError(expect.objectContaining({ code: 'open-failed' }))
  })

  const changes: readonly Partial<KeyBoxContext>[] = [{ type: 'blinding-secret' }, { space: random(32) }, { epoch: 301 }, { creator: random(32) }]
  it.each(changes)('an honest box for another place is named as such: %o', (change) => {
    const other = sealKeyBox(crypto, { ...context, ...change }, random(32), plaintext)
    expect(() => openKeyBox(crypto, context, secret, other)).toThrowError(
      expect.objectContaining({ code: 'open-failed', facts: { reason: Object.keys(change)[0] } }),
    )
  })

  it('a box whose header was rewritten to fit does not open', () => {
    const other = sealKeyBox(crypto, { ...context, epoch: 301 }, random(32), plaintext)
    const headerLength = box.length - 32 - plaintext.length - 16
    const rewritten = concatBytes(box.subarray(0, headerLength), other.subarray(headerLength))
    expect(() => openKeyBox(crypto, context, secret, rewritten)).toThrowError(expect.objectContaining({ code: 'open-failed' }))
  })

  it('refuses another recipient, on either side, and small-order keys', () => {
    const thief = random(32)
    expect(() => openKeyBox(crypto, context, thief, box)).toThrowError(expect.objectContaining({ code: 'bad-argument' }))
    const theirs = sealKeyBox(crypto, { ...context, recipient: crypto.x25519PublicKey(thief) }, random(32), plaintext)
    expect(() => openKeyBox(crypto, context, secret, theirs)).toThrowError(expect.objectContaining({ code: 'open-failed', facts: { reason: 'recipient' } }))
    expect(() => sealKeyBox(crypto, { ...context, recipient: new Uint8Array(32) }, random(32), plaintext)).toThrowError(expect.objectContaining({ code: 'bad-key' }))
    const headerLength = box.length - 32 - plaintext.length - 16
    const smallEnc = concatBytes(box.subarray(0, headerLength), new Uint8Array(32), box.subarray(headerLength + 32))
    expect(() => openKeyBox(crypto, context, secret, smallEnc)).toThrowError(expect.objectContaining({ code: 'open-failed', facts: { reason: 'enc' } }))
  })
})
