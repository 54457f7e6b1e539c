/** The thread of `verify-thread.ts`: takes batches of signatures, tells which are good for sure. An entry of its own in the build: a worker starts from a file. */
import { parentPort } from 'node:worker_threads'
import { goodTogether } from '../../engine/crypto/verify-many.js'
import { loadEd25519 } from '../../engine/crypto/wasm/ed25519.js'
import { unpackSignatures } from './packed-signatures.js'

export interface Batch { readonly number: number; readonly packed: ArrayBuffer }
/** `ready` once, first. Of a batch: 1 for each that is good for sure. */
export type Told = { readonly kind: 'ready' } | { readonly kind: 'looked'; readonly number: number; readonly good: Uint8Array }

const kernel = loadEd25519()
if (kernel === undefined) throw new Error('There is no kernel for signatures here.')
const crypto = { verifyEd25519Batch: kernel.verify }
const tell = (told: Told): void => parentPort?.postMessage(told)

parentPort?.on('message', ({ number, packed }: Batch) => {
  tell({ kind: 'looked', number, good: Uint8Array.from(goodTogether(crypto, unpackSignatures(packed)), Number) })
})
tell({ kind: 'ready' })
