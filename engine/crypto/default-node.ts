/** What `#default-provider` means in Node. */
import { nodeProvider } from './node.js'
import type { CryptoProvider } from './provider.js'

export function defaultProvider(): CryptoProvider {
  return nodeProvider
}
