/** What `#default-provider` means in Node. */
import { nodeProvider } from './node.js'
import type { CryptoProvider } from './provider.js'
import { withKernels } from './with-kernels.js'

let made: CryptoProvider | undefined

export function defaultProvider(): CryptoProvider {
  return (made ??= withKernels(nodeProvider))
}
