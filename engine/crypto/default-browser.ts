/** What `#default-provider` means everywhere but in Node. Nothing here may reach a `node:` module. */
import { nobleProvider } from './noble.js'
import type { CryptoProvider } from './provider.js'
import { withKernels } from './with-kernels.js'

let made: CryptoProvider | undefined

export function defaultProvider(): CryptoProvider {
  return (made ??= withKernels(nobleProvider))
}
