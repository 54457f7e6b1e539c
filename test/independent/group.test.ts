/** PROTOCOL.md is enough for signatures and for the proofs about group keys: what was written from its text alone accepts the vectors and what the engine makes, makes what the engine accepts, and refuses as it does. */
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { LABELS } from '../../engine/crypto/labels.js'
import { loadProvider } from '../../engine/crypto/load.js'
import { admitSigningKey, verifySignature } from '../../engine/crypto/sign.js'
import {
  agreementKey as engineKey, openDelivery, openGrant, type PossessionKind, proveDelivery, proveGrant, provePossession, verifyDelivery, verifyGrant, verifyPossession,
} from '../../engine/crypto/verifiable.js'
import { newEpochSecret } from '../../engine/crypto/delivery.js'
import {
  type Admission, admits, agreementKey, checkDelivery, checkGrant, checkPossession, type Context, deliver, encodeSecret, grantTo, isSigned, isValid, openPair, possess,
} from './group.mjs'
import { importsOf } from './imports.js'

type Hex = string
interface Vectors {
  readonly signatures: {
    readonly seed: Hex; readonly publicKey: Hex; readonly label: string; readonly bytes: Hex; readonly signature: Hex
    readonly refused: readonly { readonly why: string; readonly publicKey: Hex; readonly signature: Hex }[]
  }
  readonly group: {
    readonly context: { readonly space: Hex; readonly epoch: number; readonly author: Hex; readonly size: number; readonly logRoot: Hex; readonly stateRoot: Hex }
    readonly secret: Hex; readonly seeds: readonly Hex[]; readonly secrets: readonly Hex[]; readonly publicKeys: readonly Hex[]
    readonly deliveries: readonly { readonly recipients: readonly Hex[]; readonly delivery: Hex; readonly opened: readonly Hex[] }[]
    readonly refused: readonly { readonly why: string; readonly recipients: readonly Hex[]; readonly delivery: Hex }[]
    readonly grant: { readonly granter: Hex; readonly c0: Hex; readonly c: Hex; readonly recipient: Hex; readonly grant: Hex }
    readonly possession: { readonly kind: PossessionKind; readonly admitter: Hex; readonly id: number; readonly role: string; readonly signing: Hex; readonly agreement: Hex; readonly possession: Hex }
  }
}
const hex = (text: Hex): Buffer => Buffer.from(text, 'hex')
const toHex = (bytes: Uint8Array): Hex => Buffer.from(bytes).toString('hex')
const { signatures, group } = JSON.parse(readFileSync(new URL('../vectors/crypto.json', import.meta.url), 'utf8')) as Vectors
const crypto = await loadProvider('node')

const context: Context = { ...group.context, space: hex(group.context.space), author: hex(group.context.author), logRoot: hex(group.context.logRoot), stateRoot: hex(group.context.stateRoot) }
const { size, logRoot, stateRoot } = context
const ours = { space: context.space, epoch: context.epoch, author: context.author, base: { size, logRoot, stateRoot } }
const keys = group.seeds.map((seed) => agreementKey(hex(seed)))
const engineKeys = group.seeds.map((seed) => engineKey(crypto, hex(seed)))
const recipients = keys.map(({ publicKey }) => publicKey)
/** Random enough for a test, and the same each time. */
let drawn = 0
const random = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (drawn++ * 37 + i * 101) & 255)
const scalar = (n: number): bigint => agreementKey(Buffer.alloc(32, n)).secret

function refuses(check: () => unknown): boolean {
  try {
    check()
    return false
  } catch {
    return true
  }
}

/** A bit of each byte, neighbours changed places, and more or less of it. */
function* damaged(proof: Buffer): Generator<readonly [string, Buffer]> {
  for (let at = 0; at < proof.length; at++) {
    const changed = Buffer.from(proof)
    changed[at]! ^= at % 32 === 31 ? 0x10 : 1 << (at % 8)
    yield [`byte ${at}`, changed]
  }
  for (let at = 0; at + 64 <= proof.length; at += 32) {
    const [a, b] = [proof.subarray(at, at + 32), proof.subarray(at + 32, at + 64)]
    if (!a.equals(b)) yield [`element ${at / 32} and the next`, Buffer.concat([proof.subarray(0, at), b, a, proof.subarray(at + 64)])]
  }
  yield ['an element less', proof.subarray(0, -32)]
  yield ['an element more', Buffer.concat([proof, Buffer.alloc(32)])]
  yield ['a byte less', proof.subarray(0, -1)]
}

it('imports nothing of the engine', () => {
  expect(importsOf('./group.mjs')).toEqual(['node:crypto'])
})

describe('signatures (§3.2)', () => {
  const [publicKey, bytes, signature] = [hex(signatures.publicKey), hex(signatures.bytes), hex(signatures.signature)]
  const purpose = signatures.label.replace('sealdb/v1/', '')

  it('accepts the vector, under its label and no other, and refuses the others', () => {
    expect(isSigned(publicKey, purpose, bytes, signature)).toBe(true)
    expect(isSigned(publicKey, 'genesis', bytes, signature)).toBe(false)
    for (const { why, publicKey: key, signature: wrong } of signatures.refused) {
      expect(isSigned(hex(key), purpose, bytes, hex(wrong)), why).toBe(false)
      expect(verifySignature(crypto, LABELS.entry, hex(wrong), bytes, hex(key)), why).toBe(false)
    }
    for (const [what, changed] of damaged(signature)) expect(isSigned(publicKey, purpose, bytes, changed), what).toBe(false)
    for (let i = 0; i < bytes.length; i++) expect(isSigned(publicKey, purpose, Buffer.from(bytes.map((byte, j) => (i === j ? byte ^ 1 : byte))), signature)).toBe(false)
  })

  it('admits the keys that the engine admits', () => {
    const torsion = ['26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', '00'.repeat(32), '01'.padEnd(64, '0'), `ec${'ff'.repeat(30)}7f`]
    const cases = [publicKey, ...torsion.map(hex), ...torsion.map((key) => { const signed = hex(key); signed[31]! |= 0x80; return signed })]
    for (let y = 0; y < 40; y++) {
      const [low, high] = [Buffer.alloc(32), Buffer.alloc(32, 255)]
      low[0] = y
      high[0] = 215 + y
      high[31] = 0x7f
      cases.push(low, high)
    }
    for (const key of cases) expect(admits(key), toHex(key)).toBe(!refuses(() => admitSigningKey(key)))
    expect(cases.filter(admits).length).toBeGreaterThan(10)
    expect(cases.some((key) => !admits(key))).toBe(true)
  })

  const speccheck = new URL('../../../shared/fixtures/crypto/speccheck-cases.json', import.meta.url)
  it.skipIf(!existsSync(speccheck))('gives the cases of ed25519-speccheck the verdicts of the text', () => {
    const cases = JSON.parse(readFileSync(speccheck, 'utf8')) as readonly { readonly message: Hex; readonly pub_key: Hex; readonly signature: Hex }[]
    expect(cases.map((c) => Number(isValid(hex(c.pub_key), hex(c.signature), hex(c.message)))).join(' ')).toBe('0 0 1 1 1 1 0 0 0 0 0 0')
  })
})

describe('group keys (§3.6 to §3.9)', () => {
  it('derives the agreement keys of the vectors', () => {
    expect(keys.map(({ secret }) => toHex(encodeSecret(secret)))).toEqual(group.secrets)
    expect(recipients.map(toHex)).toEqual(group.publicKeys)
  })

  it('checks and opens the deliveries of the vectors, and refuses the others, alike', () => {
    for (const { recipients: to, delivery, opened } of group.deliveries) {
      const pairs = checkDelivery(context, to.map(hex), hex(delivery))
      expect(pairs.map((pair, i) => toHex(openPair(pair, keys[i]!.secret)))).toEqual(opened)
    }
    for (const { why, recipients: to, delivery } of group.refused) expect(refuses(() => checkDelivery(context, to.map(hex), hex(delivery))), why).toBe(true)
  })

  it('refuses a delivery that is changed, to others, in another order, or elsewhere', () => {
    const { recipients: to, delivery } = group.deliveries[1]!
    for (const [what, changed] of damaged(hex(delivery))) {
      expect(refuses(() => checkDelivery(context, to.map(hex), changed)), what).toBe(true)
      expect(refuses(() => verifyDelivery(crypto, ours, to.map(hex), changed)), what).toBe(true)
    }
    const [a, b] = [hex(to[0]!), hex(to[1]!)]
    for (const others of [[b, a], [a, a], [a], [a, b, recipients[2]!], [a, Buffer.alloc(32)], [a, Buffer.alloc(32, 255)], []]) expect(refuses(() => checkDelivery(context, others, hex(delivery)))).toBe(true)
    for (const other of [{ epoch: 301 }, { size: 999 }, { author: hex('05'.repeat(32)) }, { space: Buffer.alloc(32) }, { logRoot: stateRoot }, { stateRoot: logRoot }]) {
      expect(refuses(() => checkDelivery({ ...context, ...other }, [a, b], hex(delivery)))).toBe(true)
    }
  })

  it('delivers what the engine opens, and opens what the engine delivers', () => {
    for (const n of [1, 2, 3]) {
      const to = recipients.slice(0, n)
      const made = deliver(context, to, hex(group.secret), scalar(n), scalar(40 + n))
      const verified = verifyDelivery(crypto, ours, to, made)
      expect(to.map((_, i) => toHex(openDelivery(crypto, verified, i, engineKeys[i]!)))).toEqual(to.map(() => group.secret))
      const secret = newEpochSecret(crypto, random)
      expect(checkDelivery(context, to, Buffer.from(proveDelivery(crypto, ours, to, secret, random))).map((pair, i) => toHex(openPair(pair, keys[i]!.secret)))).toEqual(to.map(() => toHex(secret)))
    }
  })

  const statement = { granter: hex(group.grant.granter), c0: hex(group.grant.c0), c: hex(group.grant.c), recipient: hex(group.grant.recipient) }
  const { c0, c, granter, recipient } = statement
  const theirs = { granter, pair: { c0, c }, recipient }

  it('checks and opens the grant of the vectors, and none that is changed or of something else', () => {
    const grant = hex(group.grant.grant)
    expect(toHex(openPair(checkGrant(context, statement, grant), keys[2]!.secret))).toBe(group.secret)
    for (const [what, changed] of damaged(grant)) {
      expect(refuses(() => checkGrant(context, statement, changed)), what).toBe(true)
      expect(refuses(() => verifyGrant(crypto, ours, theirs, changed)), what).toBe(true)
    }
    for (const other of [{ granter: recipient }, { recipient: granter }, { c0: c }, { c: c0 }, { recipient: Buffer.alloc(32) }, { granter: Buffer.alloc(32, 255) }]) {
      expect(refuses(() => checkGrant(context, { ...statement, ...other }, grant))).toBe(true)
    }
    expect(refuses(() => checkGrant({ ...context, epoch: 299 }, statement, grant))).toBe(true)
  })

  it('grants what the engine opens, and opens what the engine grants', () => {
    const made = grantTo(context, statement, keys[1]!.secret, scalar(60), scalar(61), scalar(62))
    expect(toHex(openGrant(crypto, verifyGrant(crypto, ours, theirs, made), engineKeys[2]!))).toBe(group.secret)
    const granted = Buffer.from(proveGrant(crypto, ours, theirs, engineKeys[1]!, random))
    expect(toHex(openPair(checkGrant(context, statement, granted), keys[2]!.secret))).toBe(group.secret)
    // From pair to pair: who was granted grants in turn.
    const next = { granter: recipient, ...checkGrant(context, statement, granted), recipient: recipients[0]! }
    const onwards = grantTo(context, next, keys[2]!.secret, scalar(63), scalar(64), scalar(65))
    expect(toHex(openPair(checkGrant(context, next, onwards), keys[0]!.secret))).toBe(group.secret)
  })

  const { kind, admitter, id, role, ...possessed } = group.possession
  const admission: Admission = { space: context.space, kind, admitter: hex(admitter), id, role, size, logRoot, stateRoot }
  const engines = { space: context.space, kind, admitter: hex(admitter), id, role, base: ours.base }

  it('checks the possession of the vectors, and none that is changed, of other keys or for something else', () => {
    const [signing, agreement, possession] = [hex(possessed.signing), hex(possessed.agreement), hex(possessed.possession)]
    checkPossession(admission, signing, agreement, possession)
    for (const [what, changed] of damaged(possession)) {
      expect(refuses(() => checkPossession(admission, signing, agreement, changed)), what).toBe(true)
      expect(refuses(() => verifyPossession(crypto, engines, signing, agreement, changed)), what).toBe(true)
    }
    for (const other of [{ kind: 'device' }, { id: 4 }, { role: 'admin' }, { admitter: signing }, { size: 1 }, { space: Buffer.alloc(32) }]) {
      expect(refuses(() => checkPossession({ ...admission, ...other }, signing, agreement, possession))).toBe(true)
    }
    expect(refuses(() => checkPossession(admission, signing, recipients[0]!, possession))).toBe(true)
    expect(refuses(() => checkPossession(admission, hex(signatures.publicKey), agreement, possession))).toBe(true)
    expect(refuses(() => checkPossession(admission, signing, Buffer.alloc(32), possession))).toBe(true)
  })

  it.each(['genesis', 'device', 'invitation', 'acceptance', 'agreement'] as const)('proves possession to the engine, and checks the engine\'s: %s', (each) => {
    const signer = crypto.signer(Buffer.alloc(32, 9))
    const bound = { kind: each, ...(each === 'genesis' ? { admitter: Buffer.from(signer.publicKey), space: Buffer.alloc(32) } : {}) }
    const made = possess({ ...admission, ...bound }, Buffer.alloc(32, 9), keys[0]!.secret, scalar(70))
    verifyPossession(crypto, { ...engines, ...bound }, made.signing, made.agreement, made.possession)
    const possession = provePossession(crypto, { ...engines, ...bound }, signer, engineKeys[0]!, random)
    checkPossession({ ...admission, ...bound }, made.signing, made.agreement, Buffer.from(possession))
  })
})
