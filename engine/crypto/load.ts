/** Choosing a provider by name, at the rim: everything below takes the provider as an argument. */
import { defaultProvider } from '#default-provider'
import { isSealError, SealError } from '../errors.js'
import { nobleProvider } from './noble.js'
import type { CryptoProvider, ProviderName } from './provider.js'
import { loadSodium } from './sodium.js'
import { withKernels } from './with-kernels.js'

/**
 * `auto` (default): `node` in Node; elsewhere `sodium` if the package is there, else `noble`. Throws `provider-unavailable`. All but a `noble` that was asked for
 * by name, the reference, leave short messages to our kernels.
 *
 * @example
 * const crypto = await loadProvider('noble')
 */
export async function loadProvider(name: ProviderName | 'auto' = 'auto'): Promise<CryptoProvider> {
  switch (name) {
    case 'noble':
      return nobleProvider
    case 'sodium':
      return withKernels(await loadSodium())
    case 'node': {
      const provider = defaultProvider()
      if (provider.name === 'node') return provider
      throw new SealError('provider-unavailable', 'Expected to run in Node; the provider `node` exists nowhere else.', { provider: name })
    }
    case 'auto': {
      const provider = defaultProvider()
      return provider.name === 'node' ? provider : sodiumOr(provider)
    }
    default:
      throw new SealError('bad-argument', 'Expected the name of a provider: auto, node, sodium or noble.')
  }
}

async function sodiumOr(fallback: CryptoProvider): Promise<CryptoProvider> {
  try {
    return withKernels(await loadSodium())
  } catch (error) {
    if (isSealError(error, 'provider-unavailable')) return fallback
    throw error
  }
}
