/** Vectors of PROTOCOL.md §3: labels, derivation, signatures and their refusals, sealed values, boxes, group proofs. */
import { concatBytes, encodeHex, encodeUtf8 } from '../../../engine/codec/bytes.js'
import { encodeSealContext, sealValue } from '../../../engine/crypto/aead.js'
import { blindToken, deriveBlindKey } from '../../../engine/crypto/blind.js'
import { sealKeyBox } from '../../../engine/crypto/hpke.js'
import { deriveEpochSecrets, deriveTableKey } from '../../../engine/crypto/kdf.js'
import { hashLabelled, LABELS } from '../../../engine/crypto/labels.js'
import { nobleProvider as crypto } from '../../../engine/crypto/noble.js'
import { encodeScalar, GROUP_ORDER, littleEndian } from '../../../engine/crypto/scalar.js'
import { signBytes } from '../../../engine/crypto/sign.js'
import {
  agreementKey, newEpochSecret, openDelivery, type PossessionContext, type ProofContext, proveDelivery, proveGrant, provePossession, verifyDelivery,
  verifyGrant, verifyPossession,
} from '../../../engine/crypto/verifiable.js'
import { type Json, type VectorSource } from '../registry.js'

export const source: VectorSource = { name: 'crypto', build }

const fill = (byte: number, length = 32): Uint8Array => new Uint8Array(length).fill(byte)
const text = encodeUtf8

/** Not random: n bytes of H('sealdb vectors' ‖ u32 counter), so that nonces of proofs can be had again. */
function counted(): (length: number) => Uint8Array {
  let counter = 0
  return (length) => {
    let out = new Uint8Array(0)
    while (out.length < length) out = new Uint8Array(concatBytes(out, crypto.sha256(concatBytes(text('sealdb vectors'), Uint8Array.of(0, 0, 0, counter++)))))
    return out.slice(0, length)
  }
}

function build(): Json {
  return { section: '3 Cryptography', hashing: hashing(), signatures: signatures(), derivation: derivation(), sealed: sealed(), keyBox: keyBox(), group: group() }
}

function hashing(): Json {
  return { label: LABELS.spaceId, bytes: encodeHex(text('genesis')), hash: encodeHex(hashLabelled(crypto, LABELS.spaceId, text('genesis'))) }
}

function signatures(): Json {
  const signer = crypto.signer(fill(1))
  const signature = signBytes(signer, LABELS.entry, text('entry'))
  const malleable = concatBytes(signature.subarray(0, 32), encodeScalar(littleEndian(signature.subarray(32)) + GROUP_ORDER))
  const zeros = concatBytes(Uint8Array.of(1), fill(0, 63))
  return {
    seed: encodeHex(fill(1)),
    publicKey: encodeHex(signer.publicKey),
    label: LABELS.entry,
    bytes: encodeHex(text('entry')),
    signature: encodeHex(signature),
    refused: [
      { why: 'S + L', publicKey: encodeHex(signer.publicKey), signature: encodeHex(malleable) },
      { why: 'A of order 1, equation holds', publicKey: '01' + '00'.repeat(31), signature: encodeHex(zeros) },
      { why: 'A of order 2, equation holds', publicKey: 'ec' + 'ff'.repeat(30) + '7f', signature: encodeHex(zeros) },
      { why: 'A of order 1, written y + p', publicKey: 'ee' + 'ff'.repeat(30) + '7f', signature: encodeHex(zeros) },
      { why: 'A of order 1 with a sign bit', publicKey: '01' + '00'.repeat(30) + '80', signature: encodeHex(zeros) },
    ],
  }
}

function derivation(): Json {
  const { data, link } = deriveEpochSecrets(crypto, fill(1), fill(2), 300)
  const scopes = [{ kind: 'row', table: 5 }, { kind: 'index', table: 5, index: 6, epoch: 300 }, { kind: 'name' }] as const
  return {
    secret: encodeHex(fill(1)),
    space: encodeHex(fill(2)),
    epoch: 300,
    data: encodeHex(data),
    link: encodeHex(link),
    table: 5,
    tableKey: encodeHex(deriveTableKey(crypto, data, 5)),
    passphrase: { text: 'correct horse', salt: encodeHex(fill(3, 16)), memoryKib: 64, passes: 2, key: encodeHex(crypto.argon2id(text('correct horse'), fill(3, 16), { memoryKib: 64, passes: 2 }, 32)) },
    blinding: {
      secret: encodeHex(fill(4)),
      value: encodeHex(text('value')),
      tokens: scopes.map((scope) => ({ scope, token: encodeHex(blindToken(crypto, deriveBlindKey(crypto, fill(4), fill(2), scope), text('value'))) })),
    },
  }
}

function sealed(): Json {
  const context = { label: LABELS.sealedRow, space: fill(2), table: 5, key: text('state key'), epoch: 300, device: 7, columns: [1, 2, 200] }
  const aad = encodeSealContext(context)
  return {
    key: encodeHex(fill(1)),
    nonce: encodeHex(fill(6, 24)),
    context: { ...context, space: encodeHex(context.space), key: encodeHex(context.key) },
    aad: encodeHex(aad),
    plaintext: encodeHex(text('plaintext')),
    subkey: encodeHex(crypto.hchacha20(fill(1), fill(6, 16))),
    sealed: encodeHex(sealValue(crypto, fill(1), 300, fill(6, 24), aad, text('plaintext'))),
  }
}

function keyBox(): Json {
  const secret = fill(8)
  const context = { type: 'epoch-secret', space: fill(2), epoch: 300, recipient: crypto.x25519PublicKey(secret), creator: fill(9) } as const
  return {
    context: { ...context, space: encodeHex(context.space), recipient: encodeHex(context.recipient), creator: encodeHex(context.creator) },
    secret: encodeHex(secret),
    seed: encodeHex(fill(10)),
    plaintext: encodeHex(text('plaintext')),
    box: encodeHex(sealKeyBox(crypto, context, fill(10), text('plaintext'))),
  }
}

function group(): Json {
  const random = counted()
  const context: ProofContext = { space: fill(2), epoch: 300, author: crypto.signer(fill(1)).publicKey, base: { size: 1000, logRoot: fill(3), stateRoot: fill(4) } }
  const keys = [11, 12, 13].map((byte) => agreementKey(crypto, fill(byte)))
  const [first, second, newcomer] = keys as [(typeof keys)[number], (typeof keys)[number], (typeof keys)[number]]
  const secret = newEpochSecret(crypto, random)
  const deliveries = [[first], [first, second]].map((to) => {
    const recipients = to.map((key) => key.publicKey)
    const delivery = proveDelivery(crypto, context, recipients, secret, random)
    const verified = verifyDelivery(crypto, context, recipients, delivery)
    return { recipients: recipients.map(encodeHex), delivery: encodeHex(delivery), opened: to.map((key, i) => encodeHex(openDelivery(crypto, verified, i, key))) }
  })
  const recipients = [first.publicKey, second.publicKey]
  const pair = verifyDelivery(crypto, context, recipients, proveDelivery(crypto, context, recipients, secret, random)).pairs[1] as { c0: Uint8Array; c: Uint8Array }
  const statement = { granter: second.publicKey, pair, recipient: newcomer.publicKey }
  const grant = proveGrant(crypto, context, statement, second, random)
  verifyGrant(crypto, context, statement, grant)
  const signer = crypto.signer(fill(14))
  const admission: PossessionContext = { space: fill(2), kind: 'acceptance', admitter: fill(15), id: 3, role: 'writer', base: context.base }
  const possession = provePossession(crypto, admission, signer, newcomer, random)
  verifyPossession(crypto, admission, signer.publicKey, newcomer.publicKey, possession)
  const zeros = '00'.repeat(32)
  return {
    context: { space: encodeHex(context.space), epoch: context.epoch, author: encodeHex(context.author), size: 1000, logRoot: encodeHex(fill(3)), stateRoot: encodeHex(fill(4)) },
    secret: encodeHex(secret),
    seeds: [11, 12, 13].map((byte) => encodeHex(fill(byte))),
    secrets: keys.map((key) => encodeHex(encodeScalar(key.secret))),
    publicKeys: keys.map((key) => encodeHex(key.publicKey)),
    deliveries,
    refused: [
      { why: 'C0 is the identity, both equations hold', recipients: recipients.map(encodeHex), delivery: zeros + encodeHex(secret).repeat(2) + zeros.repeat(3) },
    ],
    grant: { granter: encodeHex(statement.granter), c0: encodeHex(pair.c0), c: encodeHex(pair.c), recipient: encodeHex(statement.recipient), grant: encodeHex(grant) },
    possession: {
      kind: admission.kind, admitter: encodeHex(admission.admitter), id: admission.id, role: admission.role, signing: encodeHex(signer.publicKey),
      agreement: encodeHex(newcomer.publicKey), possession: encodeHex(possession),
    },
  }
}
