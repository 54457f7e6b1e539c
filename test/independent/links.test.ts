/** PROTOCOL.md is enough for invitation links: what was written from its text alone reads those of the vectors, comes to the same keys, and refuses what is damaged. */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { formatLink, parseLink } from '../../engine/group/link.js'
import { crypto } from '../space/world.js'
import { agreementKey } from './group.mjs'
import { keysOf, openLink } from './links.mjs'

interface LinkVector {
  readonly link: string; readonly spaceId: string; readonly invitation: number; readonly secret: string; readonly size: number; readonly logRoot: string; readonly stateRoot: string
  readonly relay: { readonly url: string; readonly name: string; readonly publicKey: string } | null; readonly note: string | null; readonly signing: string; readonly agreement: string
}
const vectors = JSON.parse(readFileSync(new URL('../vectors/link.json', import.meta.url), 'utf8')) as { readonly links: readonly LinkVector[]; readonly refused: readonly { readonly why: string; readonly link: string }[] }
const publicKeyOf = (seed: Buffer): string => {
  const secret = createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]), format: 'der', type: 'pkcs8' })
  return createPublicKey(secret).export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex')
}

it.each(vectors.links)('$link', (vector) => {
  const found = openLink(` ${vector.link}\n`)
  const hex = (bytes: Buffer): string => bytes.toString('hex')
  const { relay, note } = found
  const { signing, agreement } = keysOf(found.secret)
  expect({
    link: vector.link, spaceId: hex(found.space), invitation: found.invitation, secret: hex(found.secret), size: found.size, logRoot: hex(found.logRoot), stateRoot: hex(found.stateRoot),
    relay: relay ? { ...relay, publicKey: hex(relay.publicKey) } : null, note: note ? hex(note) : null, signing: publicKeyOf(signing), agreement: agreementKey(agreement).publicKey.toString('hex'),
  }).toEqual(vector)
})

it('refuses what the vectors refuse, and what is damaged anywhere', () => {
  for (const { why, link } of vectors.refused) expect(() => openLink(link), why).toThrow()
  const { link } = vectors.links[0]!
  for (let at = link.indexOf('#') + 1; at < link.length; at++) {
    expect(() => openLink(link.slice(0, at))).toThrow()
    const changed = link.slice(0, at) + (link[at] === 'A' ? 'B' : 'A') + link.slice(at + 1)
    expect(() => openLink(changed)).toThrow()
  }
})

it('has the engine\'s bounds', () => {
  const read = parseLink(crypto, vectors.links[2]!.link)
  const { relay } = read
  if (relay === undefined) throw new Error('a link with a relay')
  for (const [each, isGood] of [
    [{ ...read, relay: { ...relay, url: `ws://${'x'.repeat(2043)}` } }, true], [{ ...read, relay: { ...relay, name: 'é'.repeat(127) } }, true], [{ ...read, note: new Uint8Array(8192) }, true],
  ] as const) expect(() => openLink(formatLink(crypto, each)), String(isGood)).not.toThrow()
})
