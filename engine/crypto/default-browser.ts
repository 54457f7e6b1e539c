/** What `#default-provider` means everywhere but in Node. Nothing here may reach a `node:` module. */
import { nobleProvider } from './noble.js'
import type { CryptoProvider } from './provider.js'

export function defaultProvider(): CryptoProvider {
  return nobleProvider
}
