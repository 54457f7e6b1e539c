/** Invitation links a second time, from engine/PROTOCOL.md §7.3 and §7.10 alone. Refusing is throwing. */
import { derive, hashOf } from './formats.mjs'
import { bytes, decode, fixed, optional, struct, text, u8, varint } from './fields.mjs'

const refuse = (why) => { throw new Error(why) }
const hash = fixed(32)
const id = { read: (f) => f.id() }
const body = struct({
  version: u8, space: hash, invitation: id, secret: hash, size: varint, logRoot: hash, stateRoot: hash,
  relay: optional(struct({ url: { read: (f) => f.text(2048) }, name: { read: (f) => f.text(255) }, publicKey: hash })), note: optional({ read: (f) => f.string(8192) }),
})

export function openLink(link) {
  const whole = link.trim()
  if (whole.length > 16384) refuse('too long')
  const [page, fragment, ...more] = whole.split('#')
  if (fragment === undefined || more.length > 0) refuse('not an address with one fragment')
  const all = Buffer.from(fragment, 'base64url')
  if (all.toString('base64url') !== fragment) refuse('base64url of another form')
  const content = all.subarray(0, -4)
  if (content[0] !== 1) refuse('another version')
  if (!hashOf('sealdb/v1/invitation-link', content).subarray(0, 4).equals(all.subarray(-4))) refuse('damaged')
  const { version, ...found } = decode(body, content)
  if (found.relay !== undefined && !/^[a-z][a-z0-9+.-]*:[\x21-\x7e]*$/.test(found.relay.url)) refuse('no address of a relay')
  return { page, ...found }
}

/** Seeds of the invitation's two keys. */
export const keysOf = (secret) => ({ signing: derive(secret, 'invitation-signing', Buffer.alloc(0)), agreement: derive(secret, 'invitation-agreement', Buffer.alloc(0)) })
