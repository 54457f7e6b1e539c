/** The consensus verdict on one signature without a native library: by our kernel where it runs, where it has nothing random about it, else by noble at ten times the price. */
import { nobleSignatures } from './noble-core.js'
import type { Signatures } from './provider.js'
import { loadEd25519 } from './wasm/ed25519.js'

export const verifyExactly: Signatures['verifyEd25519'] = (signature, message, publicKey) =>
  loadEd25519()?.verify([{ signature, message, publicKey }]) ?? nobleSignatures.verifyEd25519(signature, message, publicKey)
