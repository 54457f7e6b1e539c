/**
 * Hot paths of the crypto port, by provider: hash, sign, verify, seal, open, and delivery of an epoch to 10, 100 and 1,000 devices.
 * The harness runs each case as often as it takes; all inputs are made here, once, from fixed bytes.
 */
import { blindTokens, openValues, sealValues } from '../engine/crypto/aead-batch.js'
import { openValue, sealValue } from '../engine/crypto/aead.js'
import { loadProvider } from '../engine/crypto/load.js'
import { nobleProvider } from '../engine/crypto/noble.js'
import { nodeProvider } from '../engine/crypto/node.js'
import { withKernels } from '../engine/crypto/with-kernels.js'
import type { CryptoProvider } from '../engine/crypto/provider.js'
import {
  agreementKey, newEpochSecret, openDelivery, type ProofContext, proveDelivery, proveGrant, type RandomSource, verifyDelivery, verifyGrant,
} from '../engine/crypto/verifiable.js'

export interface BenchCase {
  readonly name: string
  run(): unknown
}
export interface BenchSuite {
  readonly name: string
  readonly cases: readonly BenchCase[]
}

/** One suite per operation, one case per provider. `counts`: recipients of the deliveries. */
export async function suites(counts: readonly number[] = [10, 100, 1000]): Promise<readonly BenchSuite[]> {
  const providers = { 'noble': nobleProvider, 'noble, kernels': withKernels(nobleProvider), 'node, no kernels': nodeProvider, 'node': await loadProvider('node'), 'sodium': await loadProvider('sodium') }
  const prepared = Object.entries(providers).map(([name, crypto]) => ({ provider: name, operations: operations(crypto, counts) }))
  const names = Object.keys(prepared[0]?.operations ?? {})
  return names.map((name) => ({
    name: `crypto: ${name}`,
    // Node's group is noble's, and so is that under kernels: timing it again would say nothing.
    cases: prepared
      .filter(({ provider }) => provider === 'noble' || provider === 'sodium' || !GROUP_ONLY.test(name))
      .map(({ provider, operations: of }) => ({ name: provider, run: of[name] as () => unknown })),
  }))
}

type Operations = Readonly<Record<string, () => unknown>>

const GROUP_ONLY = /^(delivery|grant)/

function operations(crypto: CryptoProvider, counts: readonly number[]): Operations {
  const random = countedFrom(crypto)
  const [inner, row, aad, key, nonce, out] = [random(84), random(200), random(90), random(32), random(24), new Uint8Array(32)] as const
  const signer = crypto.signer(random(32))
  const signature = signer.sign(row)
  const sealed = sealValue(crypto, key, 1, nonce, aad, row)
  return {
    'hash 84 bytes': () => crypto.sha256Into(inner, 0, 84, out, 0),
    'HMAC 84 bytes': () => crypto.hmacSha256(key, inner),
    'sign 200 bytes': () => signer.sign(row),
    'verify 200 bytes': () => crypto.verifyEd25519(signature, row, signer.publicKey),
    ...Object.fromEntries([1, 8, 64, 256].map((count) => [`verify a batch of ${count}`, batch(crypto, random, count)])),
    'seal 200 bytes': () => sealValue(crypto, key, 1, nonce, aad, row),
    'open 200 bytes': () => openValue(crypto, key, 1, aad, sealed),
    'seal 64 of 200 bytes': () => sealValues(crypto, key, 1, 64, () => ({ nonce, aad, plaintext: row }), () => {}),
    'open 64 of 200 bytes': () => openValues(crypto, key, 1, 64, () => ({ aad, sealed })),
    'blind 64 of 24 bytes': () => blindTokens(crypto, key, 64, () => nonce),
    ...Object.fromEntries(counts.flatMap((count) => Object.entries(deliveries(crypto, random, count)))),
    ...grants(crypto, random),
  }
}

/** Messages of 200 bytes by four signers; one by one where nothing is quicker. */
function batch(crypto: CryptoProvider, random: RandomSource, count: number): () => unknown {
  const signers = Array.from({ length: 4 }, () => crypto.signer(random(32)))
  const items = Array.from({ length: count }, (_, i) => {
    const [signer, message] = [signers[i % 4] as (typeof signers)[number], random(200)]
    return { signature: signer.sign(message), message, publicKey: signer.publicKey }
  })
  const { verifyEd25519Batch = (all: typeof items): boolean => all.every(({ signature, message, publicKey }) => crypto.verifyEd25519(signature, message, publicKey)) } = crypto
  return () => { if (!verifyEd25519Batch(items)) throw new Error('A good batch was refused.') }
}

function deliveries(crypto: CryptoProvider, random: RandomSource, count: number): Operations {
  const context = contextOf(random)
  const keys = Array.from({ length: count }, () => agreementKey(crypto, random(32)))
  const recipients = keys.map((key) => key.publicKey)
  const secret = newEpochSecret(crypto, random)
  const delivery = proveDelivery(crypto, context, recipients, secret, random)
  const verified = verifyDelivery(crypto, context, recipients, delivery)
  const [first] = keys as [(typeof keys)[number]]
  return {
    [`delivery to ${count}: prove`]: () => proveDelivery(crypto, context, recipients, secret, random),
    [`delivery to ${count}: verify`]: () => verifyDelivery(crypto, context, recipients, delivery),
    [`delivery to ${count}: open`]: () => openDelivery(crypto, verified, 0, first),
  }
}

function grants(crypto: CryptoProvider, random: RandomSource): Operations {
  const context = contextOf(random)
  const [granter, newcomer] = [agreementKey(crypto, random(32)), agreementKey(crypto, random(32))] as const
  const secret = newEpochSecret(crypto, random)
  const { pairs } = verifyDelivery(crypto, context, [granter.publicKey], proveDelivery(crypto, context, [granter.publicKey], secret, random))
  const statement = { granter: granter.publicKey, pair: pairs[0] as (typeof pairs)[number], recipient: newcomer.publicKey }
  const grant = proveGrant(crypto, context, statement, granter, random)
  return {
    'grant: prove': () => proveGrant(crypto, context, statement, granter, random),
    'grant: verify': () => verifyGrant(crypto, context, statement, grant),
  }
}

function contextOf(random: RandomSource): ProofContext {
  return { space: random(32), epoch: 1, author: random(32), base: { size: 1, logRoot: random(32), stateRoot: random(32) } }
}

/** Not random, but the same in every run and for every provider. */
function countedFrom(crypto: CryptoProvider): RandomSource {
  let counter = 0
  return (length) => crypto.hkdfSha256(new Uint8Array(32), new Uint8Array(0), new Uint8Array(new Uint32Array([counter++]).buffer), length)
}
