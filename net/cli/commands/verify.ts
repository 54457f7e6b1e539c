/** `sealdb verify`: is what is here whole, and is the relay honest about it? Or: what does a file of evidence prove? */
import { loadProvider } from 'sealdb'
import { encodeHex } from '../../../engine/codec/bytes.js'
import { SealError } from '../../../engine/errors.js'
import type { CryptoProvider } from '../../../engine/crypto/provider.js'
import { verifyDeviceEvidence } from '../../../engine/space/device-evidence.js'
import { isDeviceEvidence } from '../../../engine/space/device-watch.js'
import { verifyEvidence } from '../../../engine/space/evidence.js'
import { text, type Command, type Invocation } from '../command.js'
import { readInput } from '../files.js'
import { fingerprint } from '../fingerprint.js'
import { STORE, withSpace } from '../spaces.js'

export const verify: Command = {
  name: 'verify',
  args: '',
  summary: 'check the space against its relay, and show what to compare with others',
  details: `Opening checks that the stored entries lead to the stored head; connecting checks every new entry and the relay’s signature on
the head. Two members who see the same fingerprint at the same size have the same history. Exit code 1: not in step, or evidence.`,
  options: { ...STORE, evidence: { type: 'string', value: 'FILE', help: 'check evidence against a relay or a device instead; needs no space' } },
  run: (invocation) => {
    const evidence = text(invocation, 'evidence')
    return evidence === undefined ? verifySpace(invocation) : verifyFile(invocation, evidence)
  },
}

function verifySpace(invocation: Invocation): Promise<number> {
  return withSpace(invocation, (space) => {
    const { output } = invocation
    const { head, engine } = space
    const inStep = !engine.relay || space.connection === 'online'
    output.object({
      space: encodeHex(space.id),
      size: head.size,
      fingerprint: fingerprint(head.logRoot),
      logRoot: encodeHex(head.logRoot),
      stateRoot: encodeHex(head.stateRoot),
      pending: space.pending,
      relay: engine.relay?.url ?? 'none',
      ...(engine.relay && { relayName: engine.relay.name, relayKey: encodeHex(engine.relay.publicKey), relayFingerprint: fingerprint(engine.relay.publicKey), inStep }),
      writable: space.writable,
    })
    return Promise.resolve(inStep && space.writable ? 0 : 1)
  })
}

async function verifyFile({ output }: Invocation, file: string): Promise<number> {
  try {
    output.object(readEvidence(await loadProvider(), readInput(file)))
    return 0
  } catch (error) {
    if (!(error instanceof SealError) || error.family !== 'hostile') throw error
    output.object({ proves: 'nothing', code: error.code, reason: error.message })
    return 1
  }
}

function readEvidence(crypto: CryptoProvider, evidence: Uint8Array): Readonly<Record<string, unknown>> {
  if (isDeviceEvidence(evidence)) {
    const { spaceId, device, publicKey, bases } = verifyDeviceEvidence(crypto, evidence)
    return { proves: 'equivocation', device, deviceKey: fingerprint(publicKey), space: encodeHex(spaceId), sizes: bases.map(({ size }) => size) }
  }
  const { spaceId, relayName, relayKey, sizes } = verifyEvidence(crypto, evidence)
  return { proves: 'fork', relay: relayName, relayKey: fingerprint(relayKey), space: encodeHex(spaceId), sizes }
}
