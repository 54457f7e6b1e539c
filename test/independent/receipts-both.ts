/** `verifyReceipt` for tests: what the engine says of a receipt, a program written from PROTOCOL.md's text alone says as well. */
import { expect } from 'vitest'
import type { VerifierCrypto } from '../../engine/crypto/provider.js'
import { isSealError } from '../../engine/errors.js'
import { verifyReceipt as byEngine, type ReceiptTrust, type VerifiedReceipt } from '../../engine/verify.js'
import { openReceipt } from './receipts.mjs'

const ROLES = ['reader', 'writer', 'admin', 'owner']
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const copy = (bytes: Uint8Array): Buffer => Buffer.from(bytes)

export function verifyReceipt(crypto: VerifierCrypto, bytes: Uint8Array, trust: ReceiptTrust): VerifiedReceipt {
  const second = openedByText(bytes, trust)
  let first: VerifiedReceipt
  try {
    first = byEngine(crypto, bytes, trust)
  } catch (error) {
    if (isSealError(error) && error.family !== 'bug') expect(second, `the engine refused it: ${error.message}`).toBe('refused')
    throw error
  }
  expect(second).toEqual(content(first))
  return first
}

function openedByText(bytes: Uint8Array, { spaceId, relay, devices, vouchers }: ReceiptTrust): unknown {
  const believed = { ...(relay && { relay: { name: relay.name, publicKey: copy(relay.publicKey) } }), ...(devices && { devices: devices.map(copy) }), ...(vouchers !== undefined && { vouchers }) }
  try {
    const found = openReceipt(copy(bytes), copy(spaceId), believed)
    return plainly({ ...found, vouchers: found.vouchers.map((voucher) => ({ ...voucher, role: ROLES[voucher.role] })) })
  } catch {
    return 'refused'
  }
}

function content({ head, relay, vouchers, table: { id, sealed, table }, rows }: VerifiedReceipt): unknown {
  const voucher = ({ device, member, role, founder, trusted }: VerifiedReceipt['vouchers'][number]): unknown => ({ device, member, role, founder, trusted })
  return plainly({ head, relay, vouchers: vouchers.map(voucher), table: id, definition: sealed, policies: table?.policies.map(({ name }) => name), rows })
}

/** With bytes as hex and integers as text: to be compared. */
function plainly(value: unknown): unknown {
  if (value instanceof Uint8Array) return hex(value)
  if (typeof value === 'bigint') return `${value}n`
  if (Array.isArray(value)) return value.map(plainly)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plainly(each)]))
}
