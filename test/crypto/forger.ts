/**
 * A second prover, written from PROTOCOL.md §3.6 to §3.8 alone, that lies in one place and is honest in all others: its challenges are
 * those of its own transcript. Without a lie it makes what the engine's prover makes, but for the nonces.
 */
import { concatBytes } from '../../engine/codec/bytes.js'
import { Writer } from '../../engine/codec/canonical.js'
import { nobleProvider } from '../../engine/crypto/noble.js'
import type { GroupPoint, Scalar } from '../../engine/crypto/provider.js'
import { encodeScalar, littleEndian, modOrder, reduceScalar } from '../../engine/crypto/scalar.js'
import type { GrantStatement, ProofContext } from '../../engine/crypto/verifiable.js'
import { utf8 } from './support.js'

const { group, sha256 } = nobleProvider
const encode = (point: GroupPoint) => group.encodePoint(point)
const hash = (purpose: string, ...parts: readonly Uint8Array[]) => sha256(concatBytes(utf8(`sealdb/v1/${purpose}\0`), ...parts))
const scalar = (purpose: string, ...parts: readonly Uint8Array[]) =>
  reduceScalar(concatBytes(hash(purpose, Uint8Array.of(0), ...parts), hash(purpose, Uint8Array.of(1), ...parts)))
const contextBytes = (context: ProofContext) =>
  new Writer().fixed(context.space, 32).varint(context.epoch).fixed(context.author, 32).varint(context.base.size).fixed(context.base.logRoot, 32).fixed(context.base.stateRoot, 32).finish()

export interface DeliveryLie {
  /** r of C0, if another than that of the Ci. */
  readonly c0?: Scalar
  /** S of the last recipient, if another. */
  readonly last?: GroupPoint
}

export function forgeDelivery(context: ProofContext, recipients: readonly Uint8Array[], s: GroupPoint, r: Scalar, a: Scalar, lie: DeliveryLie): Uint8Array {
  const keys = recipients.map((bytes) => group.decodePoint(bytes))
  const c0 = encode(group.multiplyBase(lie.c0 ?? r))
  const points = keys.map((key, i) => group.addPoints(i === keys.length - 1 ? (lie.last ?? s) : s, group.multiply(r, key)))
  const sent = points.map(encode)
  const lists = new Writer().list(recipients, 100, (w, bytes) => w.raw(bytes)).list(sent, 100, (w, bytes) => w.raw(bytes)).finish()
  const u = hash('delivery', contextBytes(context), encode(group.base), c0, lists)
  let [x, y] = [group.identity, group.identity]
  for (let i = 2; i <= keys.length; i++) {
    const weight = littleEndian(hash('delivery-weight', u, Uint8Array.of(0, 0, 0, i)).subarray(0, 16).reverse())
    x = group.addPoints(x, group.multiply(weight, group.subtractPoints(keys[i - 1] as GroupPoint, keys[0] as GroupPoint)))
    y = group.addPoints(y, group.multiply(weight, group.subtractPoints(points[i - 1] as GroupPoint, points[0] as GroupPoint)))
  }
  const [A, B] = [encode(group.multiplyBase(a)), encode(group.multiply(a, x))]
  const c = scalar('delivery-challenge', u, encode(x), encode(y), A, B)
  return concatBytes(c0, ...sent, A, B, encodeScalar(modOrder(a + c * r)))
}

export interface GrantLie {
  /** t of D0, if another than that of D1. */
  readonly d0?: Scalar
  /** Added to S in D1. */
  readonly extra?: GroupPoint
}

/** `p`: the secret that the prover uses, the granter's or not. */
export function forgeGrant(context: ProofContext, statement: GrantStatement, p: Scalar, t: Scalar, [alpha, beta]: readonly [Scalar, Scalar], lie: GrantLie): Uint8Array {
  const [q, c0, c1] = [statement.recipient, statement.pair.c0, statement.pair.c].map((bytes) => group.decodePoint(bytes)) as [GroupPoint, GroupPoint, GroupPoint]
  const s = group.addPoints(group.subtractPoints(c1, group.multiply(p, c0)), lie.extra ?? group.identity)
  const [d0, d1] = [encode(group.multiplyBase(lie.d0 ?? t)), encode(group.addPoints(s, group.multiply(t, q)))]
  const u = hash('grant', contextBytes(context), statement.granter, statement.pair.c0, statement.pair.c, statement.recipient, encode(group.base), d0, d1)
  const commits = [group.multiplyBase(alpha), group.multiplyBase(beta), group.subtractPoints(group.multiply(alpha, q), group.multiply(beta, c0))].map(encode)
  const c = scalar('grant-challenge', u, ...commits)
  return concatBytes(d0, d1, ...commits, encodeScalar(modOrder(alpha + c * t)), encodeScalar(modOrder(beta + c * p)))
}
