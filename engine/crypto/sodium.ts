/**
 * The optional provider over libsodium-wrappers-sumo (WebAssembly): the fast choice in browsers. It loads asynchronously, once;
 * from then on it is as synchronous as the others. What makes it a provider comes after it, where it is installed.
 */
import type libsodium from 'libsodium-wrappers-sumo'
import { SealError } from '../errors.js'
import type { CryptoProvider } from './provider.js'

export type Sodium = typeof libsodium

let loading: Promise<CryptoProvider> | undefined

/** The provider, once libsodium is compiled. Throws `provider-unavailable` where the package is not installed or can't start. */
export function loadSodium(): Promise<CryptoProvider> {
  loading ??= start().catch((cause: unknown) => {
    loading = undefined
    throw new SealError('provider-unavailable', 'Expected the package libsodium-wrappers-sumo; it could not be loaded.', { provider: 'sodium' }, { cause })
  })
  return loading
}

async function start(): Promise<CryptoProvider> {
  const sodium = (await import('libsodium-wrappers-sumo')).default
  const [{ sodiumProvider }] = await Promise.all([import('./sodium-provider.js'), sodium.ready])
  return sodiumProvider(sodium)
}
