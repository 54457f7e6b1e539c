/** `verifyEvidence` and `verifyDeviceEvidence` for tests: what the engine says, a program written from PROTOCOL.md's text alone says as well. */
import { expect } from 'vitest'
import type { VerifierCrypto } from '../../engine/crypto/provider.js'
import { isSealError } from '../../engine/errors.js'
import { verifyDeviceEvidence as deviceByEngine, verifyEvidence as relayByEngine, type VerifiedEquivocation, type VerifiedFork } from '../../engine/verify.js'
import type { Base } from './entries.mjs'
import { openDeviceEvidence, openEvidence } from './evidence.mjs'

const head = ({ size, logRoot, stateRoot }: { readonly size: number; readonly logRoot: Uint8Array; readonly stateRoot: Uint8Array }): unknown => [size, ...[logRoot, stateRoot].map((hash) => Buffer.from(hash).toString('hex'))]
const said = (who: readonly (string | number | Uint8Array)[], smaller: Base | VerifiedFork['smaller'], larger: Base | VerifiedFork['larger']): unknown =>
  [...who.map((each) => (each instanceof Uint8Array ? Buffer.from(each).toString('hex') : each)), head(smaller), head(larger)]

export function verifyEvidence(crypto: VerifierCrypto, bytes: Uint8Array): VerifiedFork {
  return both(() => relayByEngine(crypto, bytes), ({ spaceId, relayName, relayKey, smaller, larger }) => said([spaceId, relayName, relayKey], smaller, larger), () => {
    const { spaceId, relayName, relayKey, smaller, larger } = openEvidence(Buffer.from(bytes))
    return said([spaceId, relayName, relayKey], smaller, larger)
  })
}

export function verifyDeviceEvidence(crypto: VerifierCrypto, bytes: Uint8Array): VerifiedEquivocation {
  return both(() => deviceByEngine(crypto, bytes), ({ spaceId, device, publicKey, bases: [smaller, larger] }) => said([spaceId, device, publicKey], smaller, larger), () => {
    const { spaceId, device, publicKey, smaller, larger } = openDeviceEvidence(Buffer.from(bytes))
    return said([spaceId, device, publicKey], smaller, larger)
  })
}

function both<T>(byEngine: () => T, content: (found: T) => unknown, byText: () => unknown): T {
  let second: unknown
  try {
    second = byText()
  } catch {
    second = 'refused'
  }
  let first: T
  try {
    first = byEngine()
  } catch (error) {
    if (isSealError(error) && error.family !== 'bug') expect(second, `the engine refused it: ${error.message}`).toBe('refused')
    throw error
  }
  expect(second).toEqual(content(first))
  return first
}
