/**
 * Sealed values: committing authenticated encryption of one value in one place (PROTOCOL.md §3.4).
 *
 *   sealed     = version u8 ‖ epoch u32 ‖ nonce(24) ‖ commitment(32) ‖ ciphertext ‖ tag(16)
 *   subkey     = HChaCha20(key, nonce[0, 16))
 *   commitment = H(label ‖ 0x00 ‖ subkey ‖ nonce ‖ H(AAD))
 *
 * and the rest is XChaCha20-Poly1305 under (key, nonce, AAD). Poly1305 commits to no key; the commitment does. So one subkey opens one
 * version of one value, one way: to disclose a value is to give its subkey, and it tells nothing about any other.
 */
import { Writer } from '../codec/canonical.js'
import { concatBytes, equalBytes } from '../codec/bytes.js'
import { SealError } from '../errors.js'
import { MAX_KEY_LENGTH } from '../limits.js'
import { checkLength } from './checks.js'
import { type Label, labelPrefix, LABELS } from './labels.js'
import type { Ciphers, Sha256 } from './provider.js'
import { innerNonce } from './xchacha.js'

export const SEALED_VERSION = 1
export const NONCE_LENGTH = 24
/** How much longer a sealed value is than its plaintext. */
export const SEALED_OVERHEAD = 1 + 4 + NONCE_LENGTH + 32 + 16

export type Sealing = Sha256 & Ciphers

export const NONCE_AT = 5
const COMMITMENT_AT = NONCE_AT + NONCE_LENGTH
const BODY_AT = COMMITMENT_AT + 32
const MAX_COLUMNS = 4096

/** Where a sealed value lives and who wrote it: everything that its AAD binds. */
export interface SealContext {
  /** What kind of value: `LABELS.sealedRow` and the like. */
  readonly label: Label
  readonly space: Uint8Array
  /** Table or other object id; 0 for none. */
  readonly table: number
  /** The state key it is stored under. */
  readonly key: Uint8Array
  readonly epoch: number
  /** The device that last wrote it, as the state says. */
  readonly device: number
  /** Ids of the columns inside, strictly ascending. */
  readonly columns: readonly number[]
}

/** The AAD of a value: `label ‖ 0x00 ‖ space(32) ‖ table ‖ key ‖ epoch ‖ device ‖ columns`, canonical. */
export function encodeSealContext(context: SealContext): Uint8Array {
  const writer = new Writer().raw(labelPrefix(context.label)).fixed(context.space, 32).varint(context.table).bytes(context.key, MAX_KEY_LENGTH)
  writer.varint(context.epoch).varint(context.device)
  writer.list(context.columns, MAX_COLUMNS, (w, column) => w.varint(column))
  if (context.columns.some((column, i) => i > 0 && column <= (context.columns[i - 1] as number))) {
    throw new SealError('bad-argument', 'Expected column ids in strictly ascending order.', { columns: context.columns.length })
  }
  return writer.finish()
}

/** `nonce`: 24 random bytes, never used before under this key. `epoch` is the one whose key this is. */
export function sealValue(crypto: Sealing, dataKey: Uint8Array, epoch: number, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
  checkLength(nonce, NONCE_LENGTH, 'nonce')
  checkEpoch(epoch)
  const subkey = crypto.hchacha20(dataKey, nonce.subarray(0, 16))
  const sealed = crypto.chachaSeal(subkey, innerNonce(nonce), aad, plaintext, BODY_AT)
  sealed[0] = SEALED_VERSION
  sealed[1] = epoch >>> 24
  sealed[2] = epoch >>> 16
  sealed[3] = epoch >>> 8
  sealed[4] = epoch
  sealed.set(nonce, NONCE_AT)
  commit(crypto, subkey, nonce, aad, sealed, COMMITMENT_AT)
  return sealed
}

/** Throws `open-failed` for anything but what `sealValue` made of these arguments, `unsupported-version` for another version. */
export function openValue(crypto: Sealing, dataKey: Uint8Array, epoch: number, aad: Uint8Array, sealed: Uint8Array): Uint8Array {
  return openDisclosed(crypto, discloseSubkey(crypto, dataKey, sealed), epoch, aad, sealed)
}

/** The 32-byte subkey that opens this one value, for a receipt. It is not checked here that it does. */
export function discloseSubkey(crypto: Ciphers, dataKey: Uint8Array, sealed: Uint8Array): Uint8Array {
  checkShape(sealed)
  return crypto.hchacha20(dataKey, sealed.subarray(NONCE_AT, NONCE_AT + 16))
}

/** Open with a disclosed subkey. Throws as `openValue` does. */
export function openDisclosed(crypto: Sealing, subkey: Uint8Array, epoch: number, aad: Uint8Array, sealed: Uint8Array): Uint8Array {
  checkLength(subkey, 32, 'subkey')
  if (sealedEpoch(sealed) !== epoch) throw failed('epoch', sealed)
  const nonce = sealed.subarray(NONCE_AT, COMMITMENT_AT)
  commit(crypto, subkey, nonce, aad, EXPECTED, 0)
  if (!equalBytes(EXPECTED, sealed.subarray(COMMITMENT_AT, BODY_AT))) throw failed('commitment', sealed)
  return crypto.chachaOpen(subkey, innerNonce(nonce), aad, sealed.subarray(BODY_AT))
}

/** The epoch that a sealed value names, to find its key by; proved only by opening. Throws `open-failed` or `unsupported-version`. */
export function sealedEpoch(sealed: Uint8Array): number {
  checkShape(sealed)
  return (sealed[1] as number) * 0x1000000 + (((sealed[2] as number) << 16) | ((sealed[3] as number) << 8) | (sealed[4] as number))
}

function checkShape(sealed: Uint8Array): void {
  if (sealed.length < SEALED_OVERHEAD) throw failed('length', sealed)
  if (sealed[0] !== SEALED_VERSION) throw new SealError('unsupported-version', 'Expected a sealed value of version 1.', { version: sealed[0] })
}

export function checkEpoch(epoch: number): void {
  if (!Number.isInteger(epoch) || epoch < 0 || epoch > 0xffffffff) throw new SealError('bad-argument', 'Expected an epoch of 32 bits.', { epoch })
}

const COMMITMENT_PREFIX = labelPrefix(LABELS.sealCommitment)
/** For who seals in other ways (wasm/value-lanes.ts). */
export const VALUE_FORM = { nonceAt: NONCE_AT, commitmentAt: COMMITMENT_AT, textAt: BODY_AT, commitmentPrefix: COMMITMENT_PREFIX } as const
/** Reused: one commitment a row, and a fresh array costs a third of its hash. */
const COMMITTED = concatBytes(COMMITMENT_PREFIX, new Uint8Array(32 + NONCE_LENGTH + 32))
/** What the commitment of a value should be, while it is opened. */
const EXPECTED = new Uint8Array(32)

function commit(crypto: Sha256, subkey: Uint8Array, nonce: Uint8Array, aad: Uint8Array, out: Uint8Array, to: number): void {
  const at = COMMITMENT_PREFIX.length
  COMMITTED.set(subkey, at)
  COMMITTED.set(nonce, at + 32)
  crypto.sha256Into(aad, 0, aad.length, COMMITTED, at + 32 + NONCE_LENGTH)
  crypto.sha256Into(COMMITTED, 0, COMMITTED.length, out, to)
  COMMITTED.fill(0, at, at + 32)
}

function failed(reason: string, sealed: Uint8Array): SealError {
  return new SealError('open-failed', `Expected a sealed value that opens here; its ${reason} differs.`, { reason, length: sealed.length })
}
