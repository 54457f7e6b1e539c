/** Shared by the crypto tests: every provider, seeded randomness, fixtures read in place. */
import { existsSync, readFileSync } from 'node:fs'
import { decodeHex } from '../../engine/codec/bytes.js'
import { loadProvider } from '../../engine/crypto/load.js'
import { nobleProvider } from '../../engine/crypto/noble.js'
import { nodeProvider } from '../../engine/crypto/node.js'
import { loadSodium } from '../../engine/crypto/sodium.js'
import { withKernels } from '../../engine/crypto/with-kernels.js'
import type { CryptoProvider } from '../../engine/crypto/provider.js'

export const PROVIDERS: readonly CryptoProvider[] = await Promise.all([loadProvider('noble'), loadProvider('node'), loadProvider('sodium')])

/** With the kernels and without, in every combination. */
export const ALL_PROVIDERS: readonly (readonly [title: string, crypto: CryptoProvider])[] = [
  ['noble', nobleProvider], ['node', nodeProvider], ['sodium', await loadSodium()],
  ['noble with kernels', withKernels(nobleProvider)], ['node with kernels', withKernels(nodeProvider)], ['sodium with kernels', withKernels(await loadSodium())],
]

export const hex = decodeHex
export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A stream of bytes that is the same in every run: H(seed ‖ counter). */
export function seeded(seed: string): (length: number) => Uint8Array {
  let counter = 0
  return (length) => {
    const out = new Uint8Array(length)
    for (let at = 0; at < length; at += 32) {
      const block = nobleProvider.sha256(utf8(`${seed}/${counter++}`))
      out.set(block.subarray(0, Math.min(32, length - at)), at)
    }
    return out
  }
}

/** A copy with `mask` flipped in the byte at `at`. */
export function flipped(bytes: Uint8Array, at: number, mask = 1): Uint8Array {
  const copy = bytes.slice()
  copy[at] = (copy[at] as number) ^ mask
  return copy
}

const FIXTURES = new URL('../../../shared/fixtures/crypto/', import.meta.url)
export const hasFixtures = existsSync(FIXTURES)

export function fixture<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(name, FIXTURES), 'utf8')) as T
}

/** A Wycheproof file: its groups and their cases. */
export interface Wycheproof<Case, Group = object> {
  readonly testGroups: readonly (Group & { readonly tests: readonly (Case & WycheproofCase)[] })[]
}
export interface WycheproofCase {
  readonly tcId: number
  readonly comment: string
  readonly flags: readonly string[]
  readonly result: 'valid' | 'acceptable' | 'invalid'
}
