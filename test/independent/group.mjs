/**
 * Signatures and the proofs about group keys a second time, written from engine/PROTOCOL.md §3.1, §3.2 and §3.6 to §3.9, RFC 8032 and RFC 9496 alone: no line of
 * the engine, only SHA-2 and signing of node:crypto; curve and group are here, on big integers. Slow, small and plain. Refusing is throwing.
 */
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto'

const H = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()
const refuse = (why) => { throw new Error(why) }
const u32 = (n) => { const out = Buffer.alloc(4); out.writeUInt32BE(n); return out }
const littleEndian = (bytes) => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex') || '0'}`)
const encode32 = (n) => Buffer.from(n.toString(16).padStart(64, '0'), 'hex').reverse()
const parts32 = (bytes, count) => bytes.length === 32 * count ? Array.from({ length: count }, (_, i) => bytes.subarray(32 * i, 32 * i + 32)) : refuse('another length')

// §1, §3.1

function varint(n) {
  const out = []
  for (; n > 127; n = Math.floor(n / 128)) out.push((n % 128) | 128)
  return Buffer.from([...out, n])
}
const list = (items) => Buffer.concat([varint(items.length), ...items])
const labelled = (purpose, ...parts) => Buffer.concat([Buffer.from(`sealdb/v1/${purpose}`, 'ascii'), Buffer.of(0), ...parts])

// The field, and edwards25519: RFC 8032 §5.1

const P = 2n ** 255n - 19n
const L = 2n ** 252n + 27742317777372353535851937790883648493n
const mod = (a, m = P) => ((a % m) + m) % m
function power(a, e) {
  let [out, square] = [1n, mod(a)]
  for (; e > 0n; e >>= 1n, square = (square * square) % P) if (e & 1n) out = (out * square) % P
  return out
}
const D = mod(-121665n * power(121666n, P - 2n))
const I = power(2n, (P - 1n) / 4n)
const isNegative = (a) => mod(a) % 2n === 1n
const absolute = (a) => (isNegative(a) ? mod(-a) : mod(a))

/** RFC 9496 §4.2: whether u/v is a square, and the root of it that is not negative, or that of i·u/v. */
function sqrtRatio(u, v) {
  const r = mod(u * v ** 3n * power(u * v ** 7n, (P - 5n) / 8n))
  const check = mod(v * r * r)
  const [isRoot, isFlipped, isFlippedByI] = [check === mod(u), check === mod(-u), check === mod(-u * I)]
  return { isSquare: isRoot || isFlipped, root: absolute(isFlipped || isFlippedByI ? r * I : r) }
}

const ZERO = { x: 0n, y: 1n, z: 1n, t: 0n }
const affine = (x, y) => ({ x: mod(x), y: mod(y), z: 1n, t: mod(x * y) })
function add(p, q) {
  const [a, b, c, d] = [(p.y - p.x) * (q.y - q.x), (p.y + p.x) * (q.y + q.x), 2n * D * p.t * q.t, 2n * p.z * q.z]
  const [e, f, g, h] = [mod(b - a), mod(d - c), mod(d + c), mod(b + a)]
  return { x: mod(e * f), y: mod(g * h), z: mod(f * g), t: mod(e * h) }
}
const negate = (p) => ({ ...p, x: mod(-p.x), t: mod(-p.t) })
function times(n, p) {
  let [out, doubled] = [ZERO, p]
  for (let rest = mod(n, 8n * L); rest > 0n; rest >>= 1n, doubled = add(doubled, doubled)) if (rest & 1n) out = add(out, doubled)
  return out
}
const sum = (...points) => points.reduce(add, ZERO)
const isSamePoint = (p, q) => mod(p.x * q.z - q.x * p.z) === 0n && mod(p.y * q.z - q.y * p.z) === 0n

/** §3.2, 1 of a point. */
function decodePoint(bytes) {
  if (bytes.length !== 32) refuse('not 32 bytes')
  const sign = bytes[31] >> 7
  const y = littleEndian(bytes) & (2n ** 255n - 1n)
  if (y >= P) refuse('y of p or more')
  const { isSquare, root } = sqrtRatio(y * y - 1n, D * y * y + 1n)
  if (!isSquare) refuse('no point')
  if (root === 0n && sign === 1) refuse('a sign bit where x = 0')
  return affine(sign === 1 ? -root : root, y)
}
const B = decodePoint(Buffer.from('58'.padEnd(64, '6'), 'hex'))

// §3.2

/** What 1 and 2 say of A. */
export function admits(publicKey) {
  try {
    return !isSamePoint(times(8n, decodePoint(publicKey)), ZERO)
  } catch {
    return false
  }
}

export function isValid(publicKey, signature, message) {
  if (signature.length !== 64 || !admits(publicKey)) return false
  const S = littleEndian(signature.subarray(32))
  if (S >= L) return false
  try {
    const [A, R] = [decodePoint(publicKey), decodePoint(signature.subarray(0, 32))]
    const k = littleEndian(createHash('sha512').update(signature.subarray(0, 32)).update(publicKey).update(message).digest()) % L
    return isSamePoint(times(8n * S, B), add(times(8n, R), times(8n * k, A)))
  } catch {
    return false
  }
}
export const isSigned = (publicKey, purpose, bytes, signature) => isValid(publicKey, signature, labelled(purpose, bytes))

// ristretto255: RFC 9496 §4.3. Its base is that of edwards25519.

function decodeElement(bytes) {
  if (bytes.length !== 32) refuse('not 32 bytes')
  const s = littleEndian(bytes)
  if (s >= P || isNegative(s)) refuse('not canonical')
  const [u1, u2] = [mod(1n - s * s), mod(1n + s * s)]
  const v = mod(-D * u1 * u1 - u2 * u2)
  const { isSquare, root } = sqrtRatio(1n, mod(v * u2 * u2))
  const x = absolute(2n * s * mod(root * u2))
  const y = mod(u1 * mod(root * mod(root * u2) * v))
  if (!isSquare || isNegative(x * y) || y === 0n) refuse('no element')
  return affine(x, y)
}

const INVERSE_ROOT = sqrtRatio(1n, mod(-1n - D)).root
function encodeElement({ x, y, z, t }) {
  const [u1, u2] = [mod((z + y) * (z - y)), mod(x * y)]
  const { root } = sqrtRatio(1n, mod(u1 * u2 * u2))
  const [d1, d2] = [mod(root * u1), mod(root * u2)]
  const zInverse = mod(d1 * d2 * t)
  const isRotated = isNegative(t * zInverse)
  const [xx, yy, d] = isRotated ? [mod(y * I), mod(x * I), mod(d1 * INVERSE_ROOT)] : [x, y, d2]
  return encode32(absolute(d * (z - (isNegative(xx * zInverse) ? -yy : yy))))
}

const IDENTITY = Buffer.alloc(32)
const G = B
const isSame = (p, q) => encodeElement(p).equals(encodeElement(q))
export const agreementOf = (bytes) => (IDENTITY.equals(bytes) ? refuse('the identity') : decodeElement(bytes))
const scalarOf = (bytes) => { const n = littleEndian(bytes); return n < L ? n : refuse('a scalar of L or more') }

// §3.6

const toScalar = (purpose, ...data) => littleEndian(Buffer.concat([H(labelled(purpose, Buffer.of(0), ...data)), H(labelled(purpose, Buffer.of(1), ...data))])) % L
const baseOf = ({ size, logRoot, stateRoot }) => Buffer.concat([varint(size), logRoot, stateRoot])
const contextOf = (context) => Buffer.concat([context.space, varint(context.epoch), context.author, baseOf(context)])

export function agreementKey(seed) {
  const secret = toScalar('agreement-key', seed)
  return { secret, publicKey: encodeElement(times(secret, G)) }
}
export const encodeSecret = encode32

// §3.7

function transcript(context, c0, recipients, ciphertexts) {
  const u = H(labelled('delivery', contextOf(context), encodeElement(G), c0, list(recipients), list(ciphertexts)))
  const weighted = (points) => sum(...points.slice(1).map((point, i) => times(littleEndian(H(labelled('delivery-weight', u, u32(i + 2))).subarray(0, 16).reverse()), add(point, negate(points[0])))))
  return { u, weighted }
}
const deliveryChallenge = (u, X, Y, A, commitB) => toScalar('delivery-challenge', u, encodeElement(X), encodeElement(Y), A, commitB)

/** The pairs, in the order of the recipients. */
export function checkDelivery(context, recipients, delivery) {
  const n = recipients.length
  if (n < 1 || n > 4096) refuse('no recipient, or too many')
  const keys = recipients.map(agreementOf)
  if (new Set(recipients.map((key) => key.toString('hex'))).size < n) refuse('a recipient twice')
  const [c0, ...rest] = parts32(delivery, n + 4)
  const [ciphertexts, [A, commitB, z]] = [rest.slice(0, n), rest.slice(n)]
  if (IDENTITY.equals(c0)) refuse('C0 = 0')
  const [C0, Ci, response] = [decodeElement(c0), ciphertexts.map(decodeElement), scalarOf(z)]
  const { u, weighted } = transcript(context, c0, recipients, ciphertexts)
  const [X, Y] = [weighted(keys), weighted(Ci)]
  const c = deliveryChallenge(u, X, Y, A, commitB)
  if (!isSame(times(response, G), add(decodeElement(A), times(c, C0)))) refuse('the first equation')
  if (!isSame(times(response, X), add(decodeElement(commitB), times(c, Y)))) refuse('the second equation')
  return ciphertexts.map((ciphertext) => ({ c0, c: ciphertext }))
}

export const openPair = ({ c0, c }, secret) => encodeElement(add(decodeElement(c), negate(times(secret, decodeElement(c0)))))

export function deliver(context, recipients, secret, r, a) {
  const keys = recipients.map(agreementOf)
  const [c0, Ci] = [encodeElement(times(r, G)), keys.map((key) => add(decodeElement(secret), times(r, key)))]
  const ciphertexts = Ci.map(encodeElement)
  const { u, weighted } = transcript(context, c0, recipients, ciphertexts)
  const X = weighted(keys)
  const [A, commitB] = [encodeElement(times(a, G)), encodeElement(times(a, X))]
  const c = deliveryChallenge(u, X, weighted(Ci), A, commitB)
  return Buffer.concat([c0, ...ciphertexts, A, commitB, encode32((a + c * r) % L)])
}

// §3.8

const grantTranscript = (context, { granter, c0, c, recipient }, d0, d1) => H(labelled('grant', contextOf(context), granter, c0, c, recipient, encodeElement(G), d0, d1))

/** The pair of the recipient. */
export function checkGrant(context, statement, grant) {
  const [holder, Q] = [agreementOf(statement.granter), agreementOf(statement.recipient)]
  if (statement.granter.equals(statement.recipient)) refuse('a grant to oneself')
  const [C0, C] = [decodeElement(statement.c0), decodeElement(statement.c)]
  const [d0, d1, t0, t1, t2, z1, z2] = parts32(grant, 7)
  if (IDENTITY.equals(d0)) refuse('D0 = 0')
  const [D0, D1, T0, T1, T2] = [d0, d1, t0, t1, t2].map(decodeElement)
  const [first, second] = [scalarOf(z1), scalarOf(z2)]
  const c = toScalar('grant-challenge', grantTranscript(context, statement, d0, d1), t0, t1, t2)
  if (!isSame(times(first, G), add(T0, times(c, D0)))) refuse('the first equation')
  if (!isSame(times(second, G), add(T1, times(c, holder)))) refuse('the second equation')
  if (!isSame(add(times(first, Q), negate(times(second, C0))), add(T2, times(c, add(D1, negate(C)))))) refuse('the third equation')
  return { c0: d0, c: d1 }
}

export function grantTo(context, statement, p, t, alpha, beta) {
  const [Q, C0] = [agreementOf(statement.recipient), decodeElement(statement.c0)]
  const S = decodeElement(openPair(statement, p))
  const [d0, d1] = [times(t, G), add(S, times(t, Q))].map(encodeElement)
  const commitments = [times(alpha, G), times(beta, G), add(times(alpha, Q), negate(times(beta, C0)))].map(encodeElement)
  const c = toScalar('grant-challenge', grantTranscript(context, statement, d0, d1), ...commitments)
  return Buffer.concat([d0, d1, ...commitments, encode32((alpha + c * t) % L), encode32((beta + c * p) % L)])
}

// §3.9

const KINDS = ['genesis', 'device', 'invitation', 'acceptance', 'agreement']
const statementOf = (context, signing, agreement) => Buffer.concat([
  context.space, Buffer.of(KINDS.indexOf(context.kind)), context.admitter, varint(context.id), varint(Buffer.byteLength(context.role)), Buffer.from(context.role), signing, agreement, baseOf(context),
])

export function checkPossession(context, signing, agreement, possession) {
  if (!admits(signing)) refuse('a signing key that cannot be admitted')
  const key = agreementOf(agreement)
  const [r, s, M, z] = parts32(possession, 4)
  const statement = statementOf(context, signing, agreement)
  if (!isSigned(signing, 'possession-signing', statement, Buffer.concat([r, s]))) refuse('the signature')
  const c = toScalar('possession-challenge', H(labelled('possession-agreement', statement)), M)
  if (!isSame(times(scalarOf(z), G), add(decodeElement(M), times(c, key)))) refuse('the equation')
}

export function possess(context, seed, p, k) {
  const secret = createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]), format: 'der', type: 'pkcs8' })
  const signing = createPublicKey(secret).export({ format: 'der', type: 'spki' }).subarray(-32)
  const [agreement, M] = [encodeElement(times(p, G)), encodeElement(times(k, G))]
  const statement = statementOf(context, signing, agreement)
  const c = toScalar('possession-challenge', H(labelled('possession-agreement', statement)), M)
  return { signing, agreement, possession: Buffer.concat([sign(null, labelled('possession-signing', statement), secret), M, encode32((k + c * p) % L)]) }
}
