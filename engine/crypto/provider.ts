/**
 * The crypto port: what a provider must supply. Implementations: `noble` (reference, everywhere), `node` (node:crypto),
 * `sodium` (libsodium-wrappers-sumo). All agree on every vector *and on what they accept*: acceptance is consensus.
 *
 * Everything is synchronous, deterministic and without randomness: nonces and seeds come from the caller. No input is kept or
 * changed; every returned array is fresh and the caller's own. Wrong lengths throw `bad-argument`.
 */

/** SHA-256, the one hash of the protocol (FIPS 180-4). The narrow part that log and state tree need. */
export interface Sha256 {
  /** 32 bytes. */
  sha256(data: Uint8Array): Uint8Array
  /** Hash `input[start, end)` and write the 32 bytes to `out` at `at`. Allocation-free where the platform allows; the hot path of trees. */
  sha256Into(input: Uint8Array, start: number, end: number, out: Uint8Array, at: number): void
  /** Where there is something quicker for several short messages than one after the other. */
  readonly lanes?: HashLanes
}

/**
 * Four short messages hashed at the price of one or two, without a copy: they are written where they will be read. For what is no secret: messages and
 * digests stay until others take their place.
 */
export interface HashLanes {
  /** Bytes of the longest message that a lane takes. */
  readonly longest: number
  /** The message of lane `i` begins at byte `i * stride` of `bytes`. */
  readonly stride: number
  readonly bytes: Uint8Array
  /** The same memory, for words that are not aligned. */
  readonly words: DataView
  /** The same from one byte before, in whole words: messages begin at the second byte of one. So hashes behind 15 other bytes, as a node of the state tree has them, are copied by words. */
  readonly whole: Uint32Array
  /** The digest of lane `i`: 8 words from `8 * i`, in the machine's order, which is little-endian. */
  readonly digests: Uint32Array
  /** Hashes four messages of these lengths; what lies behind each in its lane is lost. */
  hash(a: number, b: number, c: number, d: number): void
}

/** Four short messages under one key at the price of one or two. `clear` last: until then tags lie where others could find them. */
export interface HmacLanes {
  readonly longest: number
  place(lane: number, message: Uint8Array): void
  /** Of all that were placed. */
  hash(key: Uint8Array): void
  /** The first `length` of 32 bytes. */
  take(lane: number, length: number): Uint8Array
  clear(): void
}

/** Four sealed values (aead.ts) of one key, likewise: placed, sealed or opened, taken, cleared. Whoever calls has checked all lengths. */
export interface ValueLanes {
  readonly longestAad: number
  readonly longestText: number
  placeText(lane: number, epoch: number, nonce: Uint8Array, aad: Uint8Array, text: Uint8Array): void
  seal(key: Uint8Array): void
  /** A view, until the next is placed or all are cleared. */
  sealed(lane: number): Uint8Array
  placeSealed(lane: number, aad: Uint8Array, sealed: Uint8Array): void
  /** Bit i: lane i is authentic, commitment and tag. Version and epoch are the caller's to look at. */
  open(key: Uint8Array): number
  /** What is taken shares a block of memory with others: see `copyPooled`. */
  takeText(lane: number): Uint8Array
  clear(): void
}

/** Keyed hashing and derivation: RFC 2104, RFC 5869, RFC 9106. */
export interface Derivation {
  /** 32 bytes; any key length. */
  hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array
  /** Where there is something quicker for several messages. */
  readonly hmacLanes?: HmacLanes
  /** `length` bytes, at most 255 × 32. An empty salt is 32 zero bytes (RFC 5869 §2.2). */
  hkdfSha256(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array
  /** Argon2id v1.3, one lane. Salt of 16 bytes; at least 8 KiB and one pass; 16 to 64 bytes out. Takes seconds by design. */
  argon2id(password: Uint8Array, salt: Uint8Array, cost: Argon2Cost, length: number): Uint8Array
}

export interface Argon2Cost {
  readonly memoryKib: number
  readonly passes: number
}

/** A signing key that a provider has prepared. Hold on to it: preparing costs more than signing. */
export interface Signer {
  readonly publicKey: Uint8Array
  /** 64 bytes: Ed25519 (RFC 8032 §5.1.6, deterministic) over the exact bytes. For a domain-separated one see `sign.ts`. */
  sign(message: Uint8Array): Uint8Array
}

export interface SignedMessage {
  readonly signature: Uint8Array
  readonly message: Uint8Array
  readonly publicKey: Uint8Array
}

/** Ed25519 under the consensus rule of `ed25519-rule.ts`. */
export interface Signatures {
  /** From a 32-byte seed. */
  signer(seed: Uint8Array): Signer
  /**
   * The consensus verdict on a signature, whatever the provider; never throws for any bytes of any length.
   * A rejection may cost a slow second look: limit how often a stranger can cause one.
   */
  verifyEd25519(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean
  /**
   * Where several at once are quicker: whether all of them are good, the conjunction of what `verifyEd25519` says of each but with probability 2⁻¹²⁸ (wasm/ed25519.ts).
   * For any number of any bytes; false says nothing about which.
   */
  readonly verifyEd25519Batch?: (items: readonly SignedMessage[]) => boolean
  /** Where there are threads: looks on another one. True is the consensus verdict; false says nothing, and `verifyEd25519` is to be asked. */
  readonly verifyEd25519Aside?: (signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array) => Promise<boolean>
}

/** ChaCha20-Poly1305 (RFC 8439), HChaCha20 and XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03). Sealed = ciphertext ‖ tag(16). */
export interface Ciphers {
  /** `room`: so many zero bytes come first, for a header of the caller's; a second array would cost as much as sealing a short text. */
  chachaSeal(key: Uint8Array, nonce12: Uint8Array, aad: Uint8Array, plaintext: Uint8Array, room?: number): Uint8Array
  /** Throws `open-failed`. */
  chachaOpen(key: Uint8Array, nonce12: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array
  /** 32-byte subkey of a 32-byte key and 16 bytes of nonce. */
  hchacha20(key: Uint8Array, nonce16: Uint8Array): Uint8Array
  xchachaSeal(key: Uint8Array, nonce24: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array
  /** Throws `open-failed`. */
  xchachaOpen(key: Uint8Array, nonce24: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array
  /** Where there is something quicker for several sealed values. */
  readonly values?: ValueLanes
}

/** X25519 (RFC 7748). */
export interface Agreement {
  x25519PublicKey(secret: Uint8Array): Uint8Array
  /** The 32-byte shared secret. Throws `bad-key` if it would be all zero (a small-order public key). */
  x25519(secret: Uint8Array, publicKey: Uint8Array): Uint8Array
}

declare const groupPoint: unique symbol
/** An element of ristretto255, opaque: it belongs to the provider that made it. */
export interface GroupPoint {
  readonly [groupPoint]: true
}

/** An integer in [0, L), L the order of ristretto255: canonical by type. See `scalar.ts`. */
export type Scalar = bigint

/**
 * ristretto255 (RFC 9496). Zero scalars and the identity are ordinary operands everywhere, by our rule: 0·P = identity,
 * P − P = identity, identity encodes as 32 zero bytes and decodes. Who must refuse the identity says so (`verifiable.ts`).
 */
export interface Group {
  readonly base: GroupPoint
  readonly identity: GroupPoint
  /** Throws `bad-encoding` unless the 32 bytes are the canonical encoding of an element. */
  decodePoint(bytes: Uint8Array): GroupPoint
  encodePoint(point: GroupPoint): Uint8Array
  equalPoints(a: GroupPoint, b: GroupPoint): boolean
  addPoints(a: GroupPoint, b: GroupPoint): GroupPoint
  subtractPoints(a: GroupPoint, b: GroupPoint): GroupPoint
  /** scalar · point; for secret scalars too. */
  multiply(scalar: Scalar, point: GroupPoint): GroupPoint
  /** scalar · base; for secret scalars too. */
  multiplyBase(scalar: Scalar): GroupPoint
  /** Σ scalars[i] · points[i], variable time: public input only. Of no points, the identity. Quicker for short scalars. */
  multiplySum(scalars: readonly Scalar[], points: readonly GroupPoint[]): GroupPoint
}

/** The part that checking proofs, entries and disclosed values takes; every provider has it. */
export interface VerifierCrypto extends Sha256, Pick<Signatures, 'verifyEd25519'>, Ciphers {}

export type ProviderName = 'noble' | 'node' | 'sodium'

/** Where the cryptography comes from: `loadProvider` gives one. */
export interface CryptoProvider extends Sha256, Derivation, Signatures, Ciphers, Agreement {
  readonly name: ProviderName
  readonly group: Group
}
