/** Evidence against a relay and against a device a second time, from engine/PROTOCOL.md §9.2 and §9.6 alone. Refusing is throwing. */
import { openCheckpoint } from './checkpoint.mjs'
import { bytes, decode, fixed, list, struct, text, u8, varint } from './fields.mjs'
import { openHeader } from './headers.mjs'
import { checkConsistency } from './verifier.mjs'

const refuse = (why) => { throw new Error(why) }
const hash = fixed(32)
const statements = { smaller: bytes, larger: bytes, root: hash, proof: list(hash) }
const ofRelay = struct({ version: u8, spaceId: hash, relayName: text, relayKey: hash, ...statements })
const ofDevice = struct({ version: u8, spaceId: hash, device: varint, publicKey: hash, ...statements })

/** §9.2: who contradicted themselves, and the two heads. */
export function openEvidence(encoded) {
  const { version, spaceId, relayName, relayKey, smaller, larger, root, proof } = decode(ofRelay, encoded)
  if (version !== 1) refuse('another version')
  const heads = [smaller, larger].map((note) => openCheckpoint(note, spaceId, relayKey, [], relayName))
  return { spaceId, relayName, relayKey, ...contradicting(heads, root, proof) }
}

/** §9.6: the device, and its two bases. */
export function openDeviceEvidence(encoded) {
  const { version, spaceId, device, publicKey, smaller, larger, root, proof } = decode(ofDevice, encoded)
  if (version !== 2) refuse('another version')
  const bases = [smaller, larger].map((record) => {
    if (record.length > 2 ** 18) refuse('too long a record')
    const said = openHeader(record, publicKey, 'entry')
    if (device === 0 || said.device !== device || !said.space.equals(spaceId) || said.adopted) refuse('an entry of another device or space, or adopted')
    return said
  })
  return { spaceId, device, publicKey, ...contradicting(bases, root, proof) }
}

function contradicting([smaller, larger], root, proof) {
  if (smaller.size === larger.size) {
    if (proof.length > 0 || !root.equals(larger.logRoot)) refuse('more than is said')
    if (smaller.logRoot.equals(larger.logRoot) && smaller.stateRoot.equals(larger.stateRoot)) refuse('no contradiction')
  } else {
    if (smaller.size === 0 || smaller.size > larger.size || root.equals(smaller.logRoot)) refuse('no contradiction')
    checkConsistency({ size1: smaller.size, size2: larger.size, root1: root, root2: larger.logRoot, proof })
  }
  return { smaller, larger }
}
