/**
 * Checkpoints a second time, written from engine/PROTOCOL.md §4 alone: no line of the engine, only node:crypto. Refusing is throwing.
 */
import { createHash, createPublicKey, verify } from 'node:crypto'

const H = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()
const refuse = (why) => { throw new Error(why) }

/** What a checkpoint says, if the relay with this key has signed it, and who of the witnesses (`{ name, publicKey }`) stands by it. */
export function openCheckpoint(note, spaceId, relayKey, witnesses = [], relayName = `sealdb/v1/space/${spaceId.toString('hex')}`) {
  const { text, signatures } = parseNote(note)
  const lines = text.slice(0, -1).split('\n')
  const origin = `sealdb/v1/space/${spaceId.toString('hex')}`
  if (lines.length !== 4 || lines.includes('')) refuse('not four lines')
  if (lines[0] !== origin) refuse('another log')
  if (!/^(0|[1-9][0-9]*)$/.test(lines[1]) || BigInt(lines[1]) > 2n ** 48n - 1n) refuse('a size that is none')
  const logRoot = hashOf(lines[2])
  if (!lines[3].startsWith('sealdb-state-v1 ')) refuse('another extension')
  const stateRoot = hashOf(lines[3].slice('sealdb-state-v1 '.length))

  const known = [{ name: relayName, type: 1, publicKey: relayKey }, ...witnesses.map((witness) => ({ ...witness, type: 4 }))].map((key) => ({ ...key, id: H(key.name, '\n', Buffer.of(key.type), key.publicKey).subarray(0, 4) }))
  const by = []
  for (const { name, id, signature } of signatures) {
    const key = known.find((each) => each.name === name && each.id.equals(id))
    if (key === undefined || by.some(({ key: seen }) => seen === key)) continue
    if (!isGood(key, signature, text)) refuse('a bad signature of a known key')
    by.push({ key, signature })
  }
  if (!by.some(({ key }) => key.type === 1)) refuse('not signed by the relay')
  const cosigned = by.filter(({ key }) => key.type === 4).map(({ key: { name }, signature }) => ({ name, time: signature.readBigUInt64BE(0) }))
  return { size: Number(lines[1]), logRoot, stateRoot, cosigned }
}

/** `name+id+key`, as keys are handed around: of a relay or a witness. */
export function parseKey(text) {
  const [, name, id, bytes] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(text) ?? refuse('no key')
  const key = base64(bytes)
  if (!H(name, '\n', key).subarray(0, 4).equals(Buffer.from(id, 'hex'))) refuse('another key’s id')
  return { name, type: key[0], publicKey: key.subarray(1) }
}

function isGood({ type, publicKey }, signature, text) {
  if (type === 1) return isSigned(publicKey, Buffer.from(text), signature)
  if (signature.length !== 72) return false
  const time = signature.readBigUInt64BE(0)
  return time < 2n ** 63n && isSigned(publicKey, Buffer.from(`cosignature/v1\ntime ${time}\n${text}`), signature.subarray(8))
}

function isSigned(publicKey, message, signature) {
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey.toString('base64url') }, format: 'jwk' })
  return signature.length === 64 && verify(null, message, key, signature)
}

function parseNote(note) {
  if (note.length > 65536) refuse('too long')
  const whole = note.toString('utf8')
  if (!Buffer.from(whole).equals(note)) refuse('not UTF-8')
  if ([...whole].some((c) => c < ' ' && c !== '\n')) refuse('a control character')
  const at = whole.lastIndexOf('\n\n')
  if (at < 0 || !whole.endsWith('\n')) refuse('no empty line, or no end')
  const lines = whole.slice(at + 2, -1).split('\n')
  if (lines.length > 100) refuse('too many signatures')
  const signatures = lines.map((line) => {
    const [, name, value] = /^— ([^\s+]+) (\S+)$/u.exec(line) ?? refuse('no signature line')
    const bytes = base64(value)
    if (bytes.length <= 4) refuse('no signature')
    return { name, id: bytes.subarray(0, 4), signature: bytes.subarray(4) }
  })
  return { text: whole.slice(0, at + 1), signatures }
}

function base64(text) {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : refuse('base64 of another form')
}

function hashOf(text) {
  const bytes = base64(text)
  return bytes.length === 32 ? bytes : refuse('not 32 bytes')
}
