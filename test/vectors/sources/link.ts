/** Invitation links (PROTOCOL.md §7.10) and the keys that come of their secret (§7.3). */
import { encodeHex } from '../../../engine/codec/bytes.js'
import { nodeProvider as crypto } from '../../../engine/crypto/node.js'
import { formatLink, type InvitationLink } from '../../../engine/group/link.js'
import { deriveInvitationKeys } from '../../../engine/group/secrets.js'
import { type Json, type VectorSource } from '../registry.js'

const fill = (byte: number, length = 32): Uint8Array => new Uint8Array(length).fill(byte)
const anchor = { size: 300, logRoot: fill(3), stateRoot: fill(4) }
const relay = { url: 'wss://relay.example:7700/x', name: 'relay.example', publicKey: fill(5) }
const bare: InvitationLink = { spaceId: fill(1), invitation: 7, secret: fill(2), anchor, relay: undefined, note: undefined }

export const source: VectorSource = {
  name: 'link',
  build() {
    const links = [bare, { ...bare, invitation: 2 ** 32 - 1, secret: fill(9), relay }, { ...bare, relay, note: fill(6, 20) }]
    const text = formatLink(crypto, bare)
    const at = text.indexOf('#') + 40
    const refused = [
      ['cut', text.slice(0, -1)], ['another letter', text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1)], ['no fragment', text.replace('#', '')], ['two fragments', `${text}#`],
      ['padding', `${text}=`], ['bytes after it', `${text}AAAA`], ['another version', text.replace('#AQ', '#Ag')], ['nothing', ''],
    ] as const
    return { links: links.map((link, i) => linkJson(link, i === 0 ? undefined : 'https://example.org/join')), refused: refused.map(([why, link]) => ({ why, link })) }
  },
}

function linkJson(link: InvitationLink, page?: string): Json {
  const { signer, agreement } = deriveInvitationKeys(crypto, link.secret)
  return {
    link: formatLink(crypto, link, page), spaceId: encodeHex(link.spaceId), invitation: link.invitation, secret: encodeHex(link.secret),
    size: link.anchor.size, logRoot: encodeHex(link.anchor.logRoot), stateRoot: encodeHex(link.anchor.stateRoot),
    relay: link.relay ? { ...link.relay, publicKey: encodeHex(link.relay.publicKey) } : null, note: link.note ? encodeHex(link.note) : null,
    signing: encodeHex(signer.publicKey), agreement: encodeHex(agreement.publicKey),
  }
}
