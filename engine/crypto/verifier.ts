/**
 * The reference cryptography of the verifier's bundle: what checking receipts, evidence and checkpoints takes, and no more. Signatures come from
 * `@noble/ed25519`, a tenth of `@noble/curves`, which a page that only verifies need not load; the verdicts are those of every provider
 * (test/crypto runs the same vectors through it).
 */
import { hashes, verify } from '@noble/ed25519'
import { sha512 } from '@noble/hashes/sha2.js'
import { plausibleSignature } from './ed25519-rule.js'
import { nobleCiphers, nobleHash } from './noble-core.js'
import type { VerifierCrypto } from './provider.js'

// The package's only way of being given a synchronous hash.
hashes.sha512 = sha512

/** The cryptography that the verifier's functions take: the reference, in JavaScript alone. */
export const nobleVerifier: VerifierCrypto = {
  ...nobleHash,
  ...nobleCiphers,
  verifyEd25519: (signature, message, publicKey) =>
    plausibleSignature(signature, publicKey) && verify(signature, message, publicKey, { zip215: false }),
}
