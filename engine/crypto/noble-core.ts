/**
 * The parts of the reference provider that others use too: hash, signatures, ciphers. Apart from noble.ts, so that a bundle holds what it uses.
 */
import { sha256, sha512 } from '@noble/hashes/sha2.js'
import { chacha20poly1305, hchacha, xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { ed25519 } from '@noble/curves/ed25519.js'
import { concatBytes } from '../codec/bytes.js'
import { checkLength, openFailed } from './checks.js'
import { plausibleSignature, SEED_LENGTH } from './ed25519-rule.js'
import type { Ciphers, Sha256, Signatures } from './provider.js'
import { encodeScalar, reduceScalar } from './scalar.js'

export const nobleHash: Sha256 = {
  sha256: (data) => sha256(data),
  sha256Into: (input, start, end, out, at) => {
    sha256.create().update(input.subarray(start, end)).digestInto(out.subarray(at, at + 32))
  },
}

export const nobleSignatures: Signatures = {
  signer: (seed) => {
    checkLength(seed, SEED_LENGTH, 'Ed25519 seed')
    const { prefix, scalar, pointBytes } = ed25519.utils.getExtendedPublicKey(seed)
    const publicKey = pointBytes.slice()
    return {
      publicKey,
      sign: (message) => {
        const r = reduceScalar(sha512(concatBytes(prefix, message)))
        const encodedR = ed25519.Point.BASE.multiply(r).toBytes()
        const k = reduceScalar(sha512(concatBytes(encodedR, pointBytes, message)))
        return concatBytes(encodedR, encodeScalar(ed25519.Point.Fn.create(r + k * scalar)))
      },
    }
  },
  verifyEd25519: (signature, message, publicKey) =>
    plausibleSignature(signature, publicKey) && ed25519.verify(signature, message, publicKey, { zip215: false }),
}

/** True if `bytes` are a canonical encoding of a point of the Edwards curve. */
export function isEdwardsPoint(bytes: Uint8Array): boolean {
  return bytes.length === 32 && ed25519.utils.isValidPublicKey(bytes, false)
}

export const nobleCiphers: Ciphers = {
  chachaSeal: (key, nonce, aad, plaintext, room = 0) => {
    checkLength(key, 32, 'key')
    checkLength(nonce, 12, 'nonce')
    const sealed = new Uint8Array(room + plaintext.length + 16)
    chacha20poly1305(key, nonce, aad).encrypt(plaintext, sealed.subarray(room))
    return sealed
  },
  chachaOpen: (key, nonce, aad, sealed) => {
    checkLength(key, 32, 'key')
    checkLength(nonce, 12, 'nonce')
    return opening(sealed, () => chacha20poly1305(key, nonce, aad).decrypt(sealed))
  },
  hchacha20: (key, nonce) => {
    checkLength(key, 32, 'key')
    checkLength(nonce, 16, 'nonce')
    fillWords(key, KEY_WORDS)
    fillWords(nonce, NONCE_WORDS)
    hchacha(SIGMA, KEY_WORDS, NONCE_WORDS, SUBKEY_WORDS)
    const subkey = takeBytes(SUBKEY_WORDS)
    KEY_WORDS.fill(0)
    return subkey
  },
  xchachaSeal: (key, nonce, aad, plaintext) => {
    checkLength(key, 32, 'key')
    checkLength(nonce, 24, 'nonce')
    return xchacha20poly1305(key, nonce, aad).encrypt(plaintext)
  },
  xchachaOpen: (key, nonce, aad, sealed) => {
    checkLength(key, 32, 'key')
    checkLength(nonce, 24, 'nonce')
    return opening(sealed, () => xchacha20poly1305(key, nonce, aad).decrypt(sealed))
  },
}

// "expand 32-byte k" as little-endian words (RFC 8439 §2.3).
const SIGMA = new Uint32Array([0x61707865, 0x3320646e, 0x79622d32, 0x6b206574])

// Scratch for one synchronous call: HChaCha20 runs once per row, and three small arrays cost as much as its rounds.
const KEY_WORDS = new Uint32Array(8)
const NONCE_WORDS = new Uint32Array(4)
const SUBKEY_WORDS = new Uint32Array(8)

function fillWords(bytes: Uint8Array, into: Uint32Array): void {
  for (let i = 0, at = 0; i < into.length; i++, at += 4) {
    into[i] = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)
  }
}

/** Little-endian bytes of the words, which are cleared. */
function takeBytes(words: Uint32Array): Uint8Array {
  const out = new Uint8Array(4 * words.length)
  for (let i = 0, at = 0; i < words.length; i++, at += 4) {
    const word = words[i] as number
    out[at] = word
    out[at + 1] = word >>> 8
    out[at + 2] = word >>> 16
    out[at + 3] = word >>> 24
    words[i] = 0
  }
  return out
}

function opening(sealed: Uint8Array, open: () => Uint8Array): Uint8Array {
  if (sealed.length < 16) throw openFailed(sealed.length)
  try {
    return open()
  } catch (cause) {
    throw openFailed(sealed.length, cause)
  }
}
