/**
 * The invitation link: a page's address and, after `#`, everything a newcomer needs. Browsers keep the fragment to themselves, so no server
 * sees it. It is a bearer secret: whoever has it reads and may join, until it is used up, revoked, expired, or anybody is removed.
 *
 *   fragment = base64url(version u8 ‖ space id(32) ‖ invitation ‖ secret(32) ‖ anchor ‖ relay? ‖ note? ‖ check(4))
 *
 * The anchor is the inviter's own verified head, so a relay can't make up a space for a newcomer; the note is the relay's signed checkpoint
 * of it. `check` is the start of a hash of the rest: a link that was cut or mistyped is told from one that never worked.
 */
import { kindOf } from '../arguments.js'
import { concatBytes, decodeBase64url, encodeBase64url, equalBytes } from '../codec/bytes.js'
import { decodeCanonical, encodeCanonical, type Reader, type Writer } from '../codec/canonical.js'
import { hashLabelled, LABELS } from '../crypto/labels.js'
import type { Sha256 } from '../crypto/provider.js'
import { type ProofBase, writeBase } from '../crypto/transcript.js'
import { type ErrorFacts, isSealError, SealError } from '../errors.js'
import { MAX_INVITATION_LINK_LENGTH } from '../limits.js'
import { MAX_ID } from '../state/keys.js'

/** Where a link points if nobody gives a page: no scheme that a browser would send anywhere. */
const DEFAULT_LINK_PAGE = 'sealdb:join'
const VERSION = 1
const CHECK_LENGTH = 4
const MAX_URL_LENGTH = 2_048
const MAX_NAME_LENGTH = 255
const MAX_NOTE_LENGTH = 8 * 1024

export interface LinkRelay {
  readonly url: string
  readonly name: string
  /** Ed25519: it signs the checkpoint notes. */
  readonly publicKey: Uint8Array
}

export interface InvitationLink {
  readonly spaceId: Uint8Array
  readonly invitation: number
  /** 32 bytes: the invitation's keys derive from it. */
  readonly secret: Uint8Array
  /** The inviter's verified head, at or after the entry that made the invitation. */
  readonly anchor: ProofBase
  /** Undefined for a space that has none yet. */
  readonly relay?: LinkRelay | undefined
  /** The relay's signed checkpoint of the anchor, if the inviter had one. */
  readonly note?: Uint8Array | undefined
}

/** @example formatLink(crypto, link, 'https://example.org/join') // https://example.org/join#AUa3… */
export function formatLink(crypto: Sha256, link: InvitationLink, page: string = DEFAULT_LINK_PAGE): string {
  if (page.includes('#') || !isPrintable(page)) throw new SealError('bad-argument', 'Expected the address of a page, without a fragment.')
  const body = encodeCanonical(link, writeLink)
  const text = `${page}#${encodeBase64url(concatBytes(body, checkOf(crypto, body)))}`
  if (text.length > MAX_INVITATION_LINK_LENGTH) throw new SealError('too-large', 'Expected a shorter page, relay address or note.', { length: text.length })
  return text
}

/** Strict. Throws `bad-link` for what is no link or a damaged one, `unsupported-version`, `too-large`. Spaces around it are cut off. */
export function parseLink(crypto: Sha256, text: string): InvitationLink {
  if (typeof text !== 'string') throw noLink({ found: kindOf(text) })
  const trimmed = text.trim()
  if (trimmed.length > MAX_INVITATION_LINK_LENGTH) throw new SealError('too-large', 'Expected an invitation link, found a longer text.', { length: trimmed.length })
  const parts = trimmed.split('#')
  if (parts.length !== 2) throw noLink({ parts: parts.length })
  const bytes = readable(() => decodeBase64url(parts[1] as string))
  if (bytes[0] !== undefined && bytes[0] !== VERSION) {
    throw new SealError('unsupported-version', `Expected an invitation link of version ${VERSION}.`, { version: bytes[0] })
  }
  const body = bytes.subarray(0, Math.max(0, bytes.length - CHECK_LENGTH))
  if (body.length === 0 || !equalBytes(checkOf(crypto, body), bytes.subarray(body.length))) {
    throw new SealError('bad-link', 'This invitation link is damaged: part of it was cut off or changed. Copy the whole of it.', { length: bytes.length })
  }
  return readable(() => decodeCanonical(body, readLink))
}

/** Whatever is wrong with its encoding, it is no link. */
function readable<T>(decode: () => T): T {
  try {
    return decode()
  } catch (cause) {
    if (!isSealError(cause, 'bad-encoding')) throw cause
    throw noLink({}, cause)
  }
}

function noLink(facts: ErrorFacts, cause?: unknown): SealError {
  return new SealError('bad-link', 'Expected an invitation link: an address with one #, and after it letters, digits, - and _ only.', facts, { cause })
}

function checkOf(crypto: Sha256, body: Uint8Array): Uint8Array {
  return hashLabelled(crypto, LABELS.invitationLink, body).subarray(0, CHECK_LENGTH)
}

function writeLink(w: Writer, link: InvitationLink): void {
  w.u8(VERSION).fixed(link.spaceId, 32).varint(link.invitation).fixed(link.secret, 32)
  writeBase(w, link.anchor)
  w.optional(link.relay, (x, relay) => x.text(checkUrl(relay.url), MAX_URL_LENGTH).text(relay.name, MAX_NAME_LENGTH).fixed(relay.publicKey, 32))
  w.optional(link.note, (x, note) => x.bytes(note, MAX_NOTE_LENGTH))
}

function readLink(r: Reader): InvitationLink {
  r.u8()
  return {
    spaceId: r.fixed(32).slice(),
    invitation: r.varint(MAX_ID),
    secret: r.fixed(32).slice(),
    anchor: { size: r.varint(), logRoot: r.fixed(32).slice(), stateRoot: r.fixed(32).slice() },
    relay: r.optional((x) => ({ url: checkUrl(x.text(MAX_URL_LENGTH)), name: x.text(MAX_NAME_LENGTH), publicKey: x.fixed(32).slice() })),
    note: r.optional((x) => x.copyBytes(MAX_NOTE_LENGTH)),
  }
}

/** A relay's address is shown and dialled: nothing that hides its meaning. Which schemes there are, the transport knows. */
function checkUrl(url: string): string {
  if (!isPrintable(url) || !/^[a-z][a-z0-9+.-]*:/.test(url)) throw new SealError('bad-encoding', 'Expected the address of a relay.', { length: url.length })
  return url
}

/** ASCII without blanks and controls. */
function isPrintable(text: string): boolean {
  return text.length > 0 && /^[\x21-\x7e]*$/.test(text)
}
