/** Argument checks that every provider shares, so that all refuse the same calls with the same error. */
import { SealError } from '../errors.js'
import type { Argon2Cost } from './provider.js'

export function checkLength(bytes: Uint8Array, length: number, what: string): void {
  if (bytes.length !== length) throw new SealError('bad-argument', `Expected ${what} of ${length} bytes, got ${bytes.length}.`, { length: bytes.length })
}

/** The bounds that libsodium sets too: what one provider derives, each can. */
export function checkArgon2(salt: Uint8Array, cost: Argon2Cost, length: number): void {
  checkLength(salt, 16, 'Argon2 salt')
  const sound = (n: number, low: number, high: number) => Number.isSafeInteger(n) && n >= low && n <= high
  if (!sound(cost.memoryKib, 8, 2 ** 21) || !sound(cost.passes, 1, 2 ** 10) || !sound(length, 16, 64)) {
    throw new SealError('bad-argument', 'Expected Argon2 cost of 8 KiB to 2 GiB, 1 to 1024 passes, and 16 to 64 bytes out.', { ...cost, length })
  }
}

export function openFailed(length: number, cause?: unknown): SealError {
  return new SealError('open-failed', 'Expected an authentic ciphertext; authentication failed.', { length }, { cause })
}
