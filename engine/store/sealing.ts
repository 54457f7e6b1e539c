/**
 * Sealing of the named values under `secret/`: XChaCha20-Poly1305 under a random data key, bound to the store and the name. The data
 * key is stored beside them, wrapped under a passphrase (Argon2id, RFC 9106) or the caller's 32-byte key.
 *
 * Not promised: that an old value of a name, put back by someone who can write the disk, is noticed; that other names are sealed.
 */
import { defaultProvider } from '#default-provider'
import { concatBytes, decodeBase64, encodeBase64, encodeUtf8 } from '../codec/bytes.js'
import type { CryptoProvider } from '../crypto/provider.js'
import { isSealError, SealError } from '../errors.js'

const SECRET_PREFIX = 'secret/'

/** What opens the stored secrets. */
export type Unlock = { readonly passphrase: string } | { readonly key: Uint8Array }

export type SealingProvider = Pick<CryptoProvider, 'xchachaSeal' | 'xchachaOpen' | 'argon2id'>

/** How the data key is wrapped: stored in plain, as JSON or a structured clone. */
export interface SealHeader {
  readonly kdf: 'argon2id' | 'none'
  readonly memoryKib: number
  readonly passes: number
  readonly salt: string
  readonly wrapped: string
}

/** Seals and opens values by name. `open` throws `open-failed`. */
export interface Sealing {
  seal(name: string, value: Uint8Array): Uint8Array
  open(name: string, sealed: Uint8Array): Uint8Array
}

export interface SealingOptions {
  readonly provider: SealingProvider
  readonly random: (length: number) => Uint8Array
  readonly unlock: Unlock
  /** Default: RFC 9106 §4, second recommendation (64 MiB, 3 passes). */
  readonly cost?: { readonly memoryKib: number; readonly passes: number }
}

/** What a store's options say about sealing. */
export interface SealingChoice {
  /** Seals the values named `secret/…`. A store opened with one for the first time is sealed from then on. */
  readonly passphrase?: string
  /** Instead of a passphrase: 32 bytes from a keychain. */
  readonly key?: Uint8Array
  readonly argon2?: { readonly memoryKib: number; readonly passes: number }
  readonly provider?: SealingProvider
  readonly random?: (length: number) => Uint8Array
}

/** Undefined if the choice is not to seal. */
export function toSealingOptions({ passphrase, key, provider, argon2, random = randomBytes }: SealingChoice): SealingOptions | undefined {
  if (key !== undefined && passphrase !== undefined) throw new SealError('bad-argument', 'Expected a passphrase or a key, got both.')
  const unlock = key !== undefined ? { key } : passphrase !== undefined ? { passphrase } : undefined
  return unlock && { unlock, random, provider: provider ?? defaultProvider(), ...(argon2 ? { cost: argon2 } : {}) }
}

/** What opens the secrets of a store with that header; undefined if they are in plain. Throws `store-sealed`. */
export function unlockSealing(storeId: Uint8Array, header: SealHeader | undefined, options: SealingOptions | undefined): Sealing | undefined {
  if (header && !options) throw new SealError('store-sealed', 'The secrets in this store open with a passphrase or key.', { reason: 'missing' })
  return header && options && openSealing(storeId, header, options)
}

export function isSecret(name: string): boolean {
  return name.startsWith(SECRET_PREFIX)
}

export function randomBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length))
}

const DEFAULT_COST = { memoryKib: 64 * 1024, passes: 3 }
/** A header from elsewhere must not make us allocate without end. */
const MAX_MEMORY_KIB = 2 * 1024 * 1024
const MAX_PASSES = 64
const NONCE_LENGTH = 24
const KEY_LENGTH = 32

/** A fresh data key. */
export function createSealing(storeId: Uint8Array, options: SealingOptions): { header: SealHeader; sealing: Sealing } {
  const { provider, random, unlock } = options
  const cost = options.cost ?? DEFAULT_COST
  const salt = random(16)
  const dataKey = random(KEY_LENGTH)
  const kdf = 'key' in unlock ? 'none' : 'argon2id'
  const wrapping = wrappingKey(provider, unlock, kdf, salt, cost)
  const wrapped = sealWith(provider, random, wrapping, wrapLabel(storeId), dataKey)
  return {
    header: { kdf, ...cost, salt: encodeBase64(salt), wrapped: encodeBase64(wrapped) },
    sealing: sealingUnder(storeId, options, dataKey),
  }
}

/** Throws `store-sealed` if what was given doesn't open this store. */
export function openSealing(storeId: Uint8Array, header: SealHeader, options: SealingOptions): Sealing {
  const { provider, unlock } = options
  const wrapping = wrappingKey(provider, unlock, header.kdf, decodeBase64(header.salt), header)
  try {
    return sealingUnder(storeId, options, openWith(provider, wrapping, wrapLabel(storeId), decodeBase64(header.wrapped)))
  } catch (cause) {
    if (!isSealError(cause, 'open-failed')) throw cause
    throw new SealError('store-sealed', `The ${header.kdf === 'none' ? 'key' : 'passphrase'} doesn't open the secrets in this store.`, { reason: 'wrong' }, { cause })
  }
}

export function parseSealHeader(found: unknown): SealHeader {
  const { kdf, memoryKib, passes, salt, wrapped } = (typeof found === 'object' && found !== null ? found : {}) as Readonly<Record<string, unknown>>
  const good = (kdf === 'argon2id' || kdf === 'none') && typeof salt === 'string' && typeof wrapped === 'string' &&
    typeof memoryKib === 'number' && typeof passes === 'number' && memoryKib <= MAX_MEMORY_KIB && passes <= MAX_PASSES
  if (!good) throw new SealError('unsupported-version', "This store's secrets are sealed in a way this version doesn't know.")
  return { kdf, memoryKib, passes, salt, wrapped }
}

function sealingUnder(storeId: Uint8Array, { provider, random }: SealingOptions, dataKey: Uint8Array): Sealing {
  const label = (name: string): Uint8Array => concatBytes(encodeUtf8('SealDB store secret v1\0'), storeId, encodeUtf8(name))
  return {
    seal: (name, value) => sealWith(provider, random, dataKey, label(name), value),
    open: (name, sealed) => openWith(provider, dataKey, label(name), sealed),
  }
}

function wrappingKey(
  provider: SealingProvider, unlock: Unlock, kdf: SealHeader['kdf'], salt: Uint8Array, { memoryKib, passes }: { memoryKib: number; passes: number },
): Uint8Array {
  if (('key' in unlock) !== (kdf === 'none')) {
    const wanted = kdf === 'none' ? 'key' : 'passphrase'
    throw new SealError('store-sealed', `The secrets in this store open with a ${wanted}.`, { reason: 'other-kind', wanted })
  }
  if (!('key' in unlock)) return provider.argon2id(encodeUtf8(unlock.passphrase.normalize('NFC')), salt, { memoryKib, passes }, KEY_LENGTH)
  if (unlock.key.length !== KEY_LENGTH) throw new SealError('bad-argument', `Expected a key of ${KEY_LENGTH} bytes, got ${unlock.key.length}.`, { length: unlock.key.length })
  return unlock.key
}

function wrapLabel(storeId: Uint8Array): Uint8Array {
  return concatBytes(encodeUtf8('SealDB store key v1\0'), storeId)
}

function sealWith(provider: SealingProvider, random: (length: number) => Uint8Array, key: Uint8Array, label: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const nonce = random(NONCE_LENGTH)
  return concatBytes(nonce, provider.xchachaSeal(key, nonce, label, plaintext))
}

function openWith(provider: SealingProvider, key: Uint8Array, label: Uint8Array, sealed: Uint8Array): Uint8Array {
  if (sealed.length < NONCE_LENGTH) throw new SealError('open-failed', 'A sealed value is too short to be one.', { length: sealed.length })
  return provider.xchachaOpen(key, sealed.subarray(0, NONCE_LENGTH), label, sealed.subarray(NONCE_LENGTH))
}
