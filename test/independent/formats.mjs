/**
 * Keys and sealed values a second time, written from engine/PROTOCOL.md §1, §2, §3.1 and §3.3 to §3.5 alone: no line of the engine, only node:crypto, and ChaCha's
 * rounds for HChaCha20, which it lacks. Slow, small and plain, as somebody would write it in another language. Refusing is throwing.
 */
import { createCipheriv, createDecipheriv, createHash, createHmac, createPrivateKey, createPublicKey, diffieHellman, timingSafeEqual } from 'node:crypto'

const H = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()
const uint = (n, length) => Buffer.from(n.toString(16).padStart(2 * length, '0'), 'hex')
const refuse = (why) => { throw new Error(why) }
const isSame = (a, b) => a.length === b.length && timingSafeEqual(a, b)

// §1

function varint(n) {
  const out = []
  for (; n > 127; n = Math.floor(n / 128)) out.push((n % 128) | 128)
  return Buffer.from([...out, n])
}
const string = (bytes) => Buffer.concat([varint(bytes.length), bytes])

// §2. Values are null, bigint, number, string or Buffer; decoding gives integers below 2^63 as bigint.

export function encodeKey(prefix, values) {
  const key = Buffer.concat([prefix, ...values.map(element), Buffer.of(0)])
  return key.length > 255 ? refuse('a key of more than 255 bytes') : key
}

/** The keys that begin with these values. */
export function rangeOf(prefix, values) {
  const begin = Buffer.concat([prefix, ...values.map(element)])
  return { lo: begin, hi: Buffer.concat([begin, Buffer.of(0xff)]) }
}

/** Those of one class after these values. */
export function classRangeOf(type, prefix, values) {
  const [first, last] = { null: [0x05, 0x05], number: [0x07, 0x19], text: [0x20, 0x20], blob: [0x30, 0x30] }[type]
  const begin = Buffer.concat([prefix, ...values.map(element)])
  return { lo: Buffer.concat([begin, Buffer.of(first)]), hi: Buffer.concat([begin, Buffer.of(last + 1)]) }
}

function element(value) {
  if (value === null) return Buffer.of(0x05)
  if (typeof value === 'string') return value.isWellFormed() ? escaped(0x20, Buffer.from(value, 'utf8')) : refuse('an unpaired surrogate')
  if (typeof value === 'object') return escaped(0x30, value)
  if (Number.isNaN(value)) refuse('NaN')
  if (value == 0) return Buffer.of(0x10)
  if (value > 0) return positive(value)
  const [code, ...rest] = positive(-value)
  return Buffer.from([0x20 - code, ...rest.map((b) => 255 - b)])
}

function positive(x) {
  if (x >= 2n ** 63n) return Buffer.concat([Buffer.of(0x19), double(Number(x))])
  const isWhole = typeof x === 'bigint' || Number.isInteger(x)
  const m = 2n * BigInt(typeof x === 'bigint' ? x : Math.floor(x)) + (isWhole ? 0n : 1n)
  const bytes = uint(m, Math.ceil(m.toString(16).length / 2))
  return Buffer.concat([Buffer.of(0x10 + bytes.length), bytes, isWhole ? Buffer.alloc(0) : double(x)])
}

function double(x) {
  const out = Buffer.alloc(8)
  out.writeDoubleBE(x)
  return out
}

const escaped = (code, bytes) => Buffer.from([code, ...[...bytes].flatMap((b) => (b === 0 ? [1, 1] : b === 1 ? [1, 2] : [b])), 0])

export function decodeKey(prefix, key) {
  const values = []
  let at = prefix.length
  const take = (n) => (at + n > key.length ? refuse('truncated') : key.subarray(at, (at += n)))
  const number = (code, read) => {
    if (code === 0x19) return read(8).readDoubleBE()
    const m = BigInt(`0x${read(code - 0x10).toString('hex') || '0'}`)
    return m % 2n === 0n ? m / 2n : read(8).readDoubleBE()
  }
  const unescaped = () => {
    const out = []
    for (let b = take(1)[0]; b !== 0; b = take(1)[0]) {
      if (b !== 1) out.push(b)
      else { const next = take(1)[0]; out.push(next === 1 || next === 2 ? next - 1 : refuse('an escape that is none')) }
    }
    return Buffer.from(out)
  }
  for (let code = take(1)[0]; code !== 0; code = take(1)[0]) {
    if (code === 0x05) values.push(null)
    else if (code >= 0x10 && code <= 0x19) values.push(number(code, take))
    else if (code >= 0x07 && code < 0x10) {
      const x = number(0x20 - code, (n) => Buffer.from(take(n).map((b) => 255 - b)))
      values.push(-x)
    } else if (code === 0x20) values.push(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(unescaped()))
    else if (code === 0x30) values.push(unescaped())
    else refuse('an unknown code')
  }
  return isSame(encodeKey(prefix, values), key) ? values : refuse('not what its values are encoded as')
}

// §3.1, §3.3

const labelled = (label, ...parts) => Buffer.concat([Buffer.from(label, 'ascii'), Buffer.of(0), ...parts])
export const hashOf = (label, bytes) => H(labelled(label, bytes))
const hmac = (key, ...parts) => parts.reduce((mac, part) => mac.update(part), createHmac('sha256', key)).digest()

function hkdf(secret, info, n, salt = Buffer.alloc(32)) {
  const prk = hmac(salt, secret)
  let [out, block] = [Buffer.alloc(0), Buffer.alloc(0)]
  for (let i = 1; out.length < n; i++) out = Buffer.concat([out, (block = hmac(prk, block, info, Buffer.of(i)))])
  return out.subarray(0, n)
}

export const derive = (secret, purpose, context) => hkdf(secret, labelled(`sealdb/v1/${purpose}`, context), 32)
export const epochSecrets = (secret, space, epoch) => {
  const context = Buffer.concat([space, varint(epoch)])
  return { data: derive(secret, 'epoch-data', context), link: derive(secret, 'epoch-link', context) }
}
export const tableKey = (data, table) => derive(data, 'table-data', varint(table))

/** `numbers`: those that follow the space in the context of `purpose`. */
export const tokenOf = (secret, space, purpose, numbers, value) => hmac(derive(secret, purpose, Buffer.concat([space, ...numbers.map(varint)])), value).subarray(0, 16)

// §3.4

export const aadOf = ({ label, space, table, key, epoch, device, columns }) =>
  labelled(label, space, varint(table), string(key), varint(epoch), varint(device), varint(columns.length), ...columns.map(varint))

export function subkeyOf(key, nonce) {
  const rotate = (n, by) => ((n << by) | (n >>> (32 - by))) >>> 0
  const words = (bytes) => Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readUInt32LE(4 * i))
  const s = [...words(Buffer.from('expand 32-byte k')), ...words(key), ...words(nonce.subarray(0, 16))]
  const step = (a, b, d, by) => { s[a] = (s[a] + s[b]) >>> 0; s[d] = rotate((s[d] ^ s[a]) >>> 0, by) }
  const quarter = (a, b, c, d) => { step(a, b, d, 16); step(c, d, b, 12); step(a, b, d, 8); step(c, d, b, 7) }
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < 4; i++) quarter(i, 4 + i, 8 + i, 12 + i)
    for (let i = 0; i < 4; i++) quarter(i, 4 + ((i + 1) % 4), 8 + ((i + 2) % 4), 12 + ((i + 3) % 4))
  }
  const out = Buffer.alloc(32)
  for (let i = 0; i < 8; i++) out.writeUInt32LE(s[i < 4 ? i : i + 8], 4 * i)
  return out
}

const commitmentOf = (subkey, nonce, aad) => hashOf('sealdb/v1/seal-commitment', Buffer.concat([subkey, nonce, H(aad)]))
const ALGORITHM = 'chacha20-poly1305'

function encrypt(key, nonce, aad, plaintext) {
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: 16 }).setAAD(aad, { plaintextLength: plaintext.length })
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

function decrypt(key, nonce, aad, sealed) {
  const length = sealed.length - 16
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: 16 }).setAAD(aad, { plaintextLength: length })
  decipher.setAuthTag(sealed.subarray(length))
  return Buffer.concat([decipher.update(sealed.subarray(0, length)), decipher.final()])
}

const innerNonce = (nonce) => Buffer.concat([Buffer.alloc(4), nonce.subarray(16)])

export function seal(key, epoch, nonce, aad, plaintext) {
  const subkey = subkeyOf(key, nonce)
  return Buffer.concat([Buffer.of(1), uint(epoch, 4), nonce, commitmentOf(subkey, nonce, aad), encrypt(subkey, innerNonce(nonce), aad, plaintext)])
}

/** With the key, or, as a receipt discloses it, the subkey. */
export const open = (key, epoch, aad, sealed) => openWith((nonce) => subkeyOf(key, nonce), epoch, aad, sealed)
export const openDisclosed = (subkey, epoch, aad, sealed) => openWith(() => subkey, epoch, aad, sealed)

function openWith(subkeyFor, epoch, aad, sealed) {
  if (sealed.length < 77 || sealed[0] !== 1) refuse('not a sealed value of version 1')
  if (sealed.readUInt32BE(1) !== epoch) refuse('another epoch')
  const nonce = sealed.subarray(5, 29)
  const subkey = subkeyFor(nonce)
  if (!isSame(commitmentOf(subkey, nonce, aad), sealed.subarray(29, 61))) refuse('another commitment')
  return decrypt(subkey, innerNonce(nonce), aad, sealed.subarray(61))
}

// §3.5: HPKE (RFC 9180) of one suite

const TYPES = ['epoch-secret', 'blinding-secret', 'file-secret', 'recovery']
const x25519Public = (raw) => createPublicKey({ key: Buffer.concat([Buffer.from('302a300506032b656e032100', 'hex'), raw]), format: 'der', type: 'spki' })
const x25519Secret = (raw) => createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), raw]), format: 'der', type: 'pkcs8' })

export function openBox({ type, space, epoch, recipient, creator }, secret, box) {
  const header = Buffer.concat([Buffer.of(1, TYPES.indexOf(type)), space, varint(epoch), recipient, creator])
  if (!isSame(box.subarray(0, header.length), header)) refuse('another header')
  const [enc, sealed] = [box.subarray(header.length, header.length + 32), box.subarray(header.length + 32)]
  const extract = (suite, salt, name, ikm) => hmac(salt, Buffer.from('HPKE-v1'), suite, Buffer.from(name), ikm)
  const expand = (suite, prk, name, info, n) => hmac(prk, uint(n, 2), Buffer.from('HPKE-v1'), suite, Buffer.from(name), info, Buffer.of(1)).subarray(0, n)
  const kem = Buffer.concat([Buffer.from('KEM'), uint(0x20, 2)])
  const hpke = Buffer.concat([Buffer.from('HPKE'), uint(0x20, 2), uint(1, 2), uint(3, 2)])
  const none = Buffer.alloc(0)
  const dh = diffieHellman({ privateKey: x25519Secret(secret), publicKey: x25519Public(enc) })
  const shared = expand(kem, extract(kem, none, 'eae_prk', dh), 'shared_secret', Buffer.concat([enc, recipient]), 32)
  const context = Buffer.concat([Buffer.of(0), extract(hpke, none, 'psk_id_hash', none), extract(hpke, none, 'info_hash', labelled('sealdb/v1/key-box', header))])
  const prk = extract(hpke, shared, 'secret', none)
  return decrypt(expand(hpke, prk, 'key', context, 32), expand(hpke, prk, 'base_nonce', context, 12), none, sealed)
}
