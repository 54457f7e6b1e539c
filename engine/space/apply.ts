/**
 * The state machine (PROTOCOL.md §6): a verdict reads the state, the log's frontier and the entry, and nothing else. Every participant runs
 * this and reaches the same verdict about every entry, or the protocol is broken.
 *
 * Checks run in the order in which they are written here; the order is part of the protocol.
 */
import { equalBytes } from '../codec/bytes.js'
import { encodeCanonical, type Writer } from '../codec/canonical.js'
import { isSealError, SealError } from '../errors.js'
import { appendLeaf, frontierRoot, type Frontier } from '../log/frontier.js'
import { type ApplyEnv, type Author, Reject, type StateReader, type StateView } from '../state/context.js'
import { EditBatch } from '../state/edits.js'
import { pointerKey, protocolKey, ringKey } from '../state/keys.js'
import { atLeast, decodePointer, encodePointer, type MemberRole, type Pointer } from '../state/roster.js'
import { decodeRecord, entryHash, PROTOCOL_VERSION, spaceIdOf, verifyEntry, type Decoded, type Entry } from './entry.js'
import { Facts } from './facts.js'
import { codecAt, everyKind, everyOp } from './ops/encoded.js'
import { type AnyCodec, opCodec, type Op } from './ops/index.js'
import { isRowOp } from './ops/row.js'
import { encodeProtocol } from './ops/space.js'
import { EntryRun } from './run.js'
import { type Head, type IgnoredCode, type RejectedCode, type Verdict } from './types.js'

export interface SpaceState {
  readonly tree: StateView
  readonly log: Frontier
  /** Of this very state. */
  readonly facts?: Facts
}

export interface Applied {
  readonly state: SpaceState
  readonly verdict: Verdict
  /** The entry's leaf hash. */
  readonly hash: Uint8Array
  /** What was applied. */
  readonly entry?: Entry
}

export interface ApplyOptions {
  /** `trusted`: whoever calls has checked it, or will compare the resulting root with one that is trusted already. */
  readonly signature: 'check' | 'trusted'
}

/**
 * The state and verdict after one more record. The state that went in is unchanged, and both are the caller's to release. Never throws for any
 * record; throws `unsupported-version` if the space has moved to a protocol that this code doesn't know.
 *
 * @example
 * const { state: next, verdict } = apply(env, state, record, { signature: 'check' })
 */
export function apply(env: ApplyEnv, state: SpaceState, record: Uint8Array, options: ApplyOptions): Applied {
  return applyWith(env, state, record, (check) => options.signature === 'trusted' || check())
}

/** Decides whether a signature counts as good; `check` verifies it. `inChain`: the entry's `devicePrev` is where its device stands. `key`: whose it has to be. */
export type SignatureRule = (check: () => boolean, inChain: boolean, key: Uint8Array) => boolean

/** `hash`: the record's leaf hash, if the caller has it. */
export function applyWith(env: ApplyEnv, state: SpaceState, record: Uint8Array, rule: SignatureRule, hash: Uint8Array = entryHash(env.crypto, record)): Applied {
  const facts = state.facts ?? new Facts()
  checkSupported(facts.version(state.tree))
  const head = headOf(env, state)
  const { verdict, entry, ...outcome } = judge(env, state, facts, head, record, hash, rule)
  const tree = outcome.tree ?? state.tree.apply(EditBatch.of([ringEdit(env, head)]))
  const next = { tree, log: appendLeaf(env.crypto, state.log, hash), facts: entry === undefined || everyOp(entry.ops, isRowOp) ? facts : new Facts() }
  return entry === undefined ? { state: next, verdict, hash } : { state: next, verdict, hash, entry }
}

export function headOf(env: ApplyEnv, state: SpaceState): Head {
  return { size: state.log.size, logRoot: logRootOf(env, state.log), stateRoot: state.tree.root }
}

/** A frontier never changes, and its root is asked for by whoever signs, judges and stores: log n hashes each time. */
const logRoots = new WeakMap<Frontier, Uint8Array>()
function logRootOf(env: ApplyEnv, log: Frontier): Uint8Array {
  let root = logRoots.get(log)
  if (root === undefined) logRoots.set(log, (root = frontierRoot(env.crypto, log)))
  return root
}

/** True if `base` is a head of this history that the ring still knows, or `head` itself. */
export function isKnownHead(env: ApplyEnv, tree: StateReader, head: Head, base: Head): boolean {
  if (base.size >= head.size) return sameHead(base, head)
  const slot = tree.get(ringKey(base.size))
  return slot !== undefined && equalBytes(slot, ringValue(env, base))
}

/** Without a tree, nothing but the ring moves. */
interface Outcome {
  readonly verdict: Verdict
  readonly tree?: StateView
  readonly entry?: Entry
}

function judge(env: ApplyEnv, state: SpaceState, facts: Facts, head: Head, record: Uint8Array, hash: Uint8Array, rule: SignatureRule): Outcome {
  const decoded = decodeRecord(record)
  if (decoded.kind !== 'entry') return ignored(decoded.kind)
  const { entry } = decoded
  if (!isOfSpace(env, entry, record)) return ignored('space')
  if (entry.device === 0) return admit(env, state, facts, head, decoded, hash, rule)

  const signer = facts.liveDevice(state.tree, entry.device)
  if (signer === undefined) return ignored('device')
  const pointer = pointerOf(state.tree, entry.device)
  const inChain = equalBytes(entry.devicePrev, pointer.hash)
  if (!rule(() => verifyEntry(env.crypto, decoded, signer.signing), inChain, signer.signing)) return ignored('signature')
  if (!inChain) return ignored('device-prev')

  const run = new EntryRun({ env, index: head.size, entry, author: signer.author, ops: entry.ops, facts }, state.tree)
  const refusal = refuse(env, state.tree, facts, head, entry, signer.author, pointer) ?? runOps(run, entry)
  if (refusal === undefined) return { verdict: { kind: 'applied' }, tree: run.finish([ringEdit(env, head), pointerEdit(entry.device, hash, head, false)]), entry }
  run.discard()
  return { verdict: { kind: 'rejected', ...refusal }, tree: state.tree.apply(EditBatch.of([ringEdit(env, head), pointerEdit(entry.device, hash, head, true)])) }
}

interface Refusal { readonly code: RejectedCode; readonly op?: number; readonly detail?: string }

/** What is checked before any op runs. */
function refuse(env: ApplyEnv, tree: StateView, facts: Facts, head: Head, entry: Entry, author: Author, pointer: Pointer): Refusal | undefined {
  if (!isKnownHead(env, tree, head, entry.base)) return { code: 'base' }
  if (pointer.rejected && pointer.index >= entry.base.size) return { code: 'chain' }
  if (entry.epoch !== currentEpoch(tree, facts, head)) return { code: 'epoch' }
  if (!everyKind(entry.ops, isOpenTo, author)) {
    for (let op = 0; op < entry.ops.length; op++) {
      const role = codecAt(entry.ops, op)?.role
      if (role !== undefined && !isEnough(author, role)) return { code: 'role', op, detail: role }
    }
  }
  for (const read of entry.reads) if (!equalBytes(tree.subtreeRoot(read.prefix), read.root)) return { code: 'conflict', detail: 'reads' }
  return undefined
}

function isOpenTo({ role }: AnyCodec, author: Author): boolean {
  return isEnough(author, role)
}

function isEnough(author: Author, role: MemberRole | undefined): boolean {
  return role === undefined || atLeast(author.role, role)
}

/** Ops run in sequence, each seeing the ones before; the first that refuses refuses all. */
function runOps(run: EntryRun, entry: Entry): Refusal | undefined {
  try {
    run.op = 0
    for (; run.op < entry.ops.length; run.op++) {
      const op = entry.ops.at(run.op) as Op
      opCodec(op).apply(run, op)
    }
    run.checkEnd()
    return undefined
  } catch (error) {
    // Whatever an op finds malformed is the entry's fault; what is out of a witness's scope, or a bug, is not.
    if (isSealError(error) && error.family === 'hostile') return { code: 'rule', op: run.op, detail: error.code }
    if (!(error instanceof Reject)) throw error
    return { code: error.code, ...(run.op < entry.ops.length && { op: run.op }), detail: error.detail }
  }
}

/** A genesis or join: no device and no pointer yet, so whatever fails, it is ignored. */
function admit(env: ApplyEnv, state: SpaceState, facts: Facts, head: Head, decoded: Extract<Decoded, { kind: 'entry' }>, hash: Uint8Array, rule: SignatureRule): Outcome {
  const { entry } = decoded
  const op = entry.ops.at(0) as Op
  const key = opCodec(op).selfSigned?.(op)
  if (key === undefined || !rule(() => verifyEntry(env.crypto, decoded, key), false, key)) return ignored('signature')
  if (entry.devicePrev.some((byte) => byte !== 0)) return ignored('device-prev')
  if (!isKnownHead(env, state.tree, head, entry.base)) return ignored('join', 'base')
  if (entry.epoch !== currentEpoch(state.tree, facts, head)) return ignored('join', 'epoch')
  if (entry.reads.length > 0) return ignored('join', 'reads')
  const run = new EntryRun({ env, index: head.size, entry, author: undefined, ops: entry.ops, facts }, state.tree)
  const refusal = runOps(run, entry)
  const device = run.admittedDevice
  if (refusal !== undefined || device === undefined) {
    run.discard()
    return ignored('join', refusal?.detail ?? 'device')
  }
  const more = [ringEdit(env, head), pointerEdit(device, hash, head, false)]
  if (head.size === 0) more.push({ key: protocolKey(), value: encodeProtocol(PROTOCOL_VERSION) })
  return { verdict: { kind: 'applied' }, tree: run.finish(more), entry }
}

/** The genesis is the entry whose hash the space's id is. */
function isOfSpace(env: ApplyEnv, entry: Entry, record: Uint8Array): boolean {
  if (codecAt(entry.ops, 0)?.name !== 'genesis') return equalBytes(entry.spaceId, env.spaceId)
  return entry.spaceId.every((byte) => byte === 0) && equalBytes(spaceIdOf(env.crypto, record), env.spaceId)
}

function pointerOf(tree: StateReader, device: number): Pointer {
  const bytes = tree.get(pointerKey(device))
  if (bytes === undefined) throw new SealError('invariant', 'An admitted device has no pointer. Please report this.', { device })
  return decodePointer(bytes)
}

/** Before genesis there is none: its entry is under the first. */
function currentEpoch(tree: StateReader, facts: Facts, head: Head): number {
  return head.size === 0 ? 1 : facts.epoch(tree)
}

interface PutEdit { readonly key: Uint8Array; readonly value: Uint8Array }

function ringEdit(env: ApplyEnv, head: Head): PutEdit {
  return { key: ringKey(head.size), value: ringValue(env, head) }
}

/** Where a device stands after an entry. */
function pointerEdit(device: number, hash: Uint8Array, { size }: Head, rejected: boolean): PutEdit {
  return { key: pointerKey(device), value: encodePointer({ hash, index: size, rejected }) }
}

function ringValue(env: ApplyEnv, head: Head): Uint8Array {
  return encodeCanonical({ size: head.size, hash: headHash(env, head) }, writeRing)
}

function writeRing(w: Writer, { size, hash }: { readonly size: number; readonly hash: Uint8Array }): void {
  w.varint(size).fixed(hash, 32)
}

/** H(logRoot ‖ stateRoot). */
function headHash(env: ApplyEnv, head: Head): Uint8Array {
  both.set(head.logRoot)
  both.set(head.stateRoot, 32)
  return env.crypto.sha256(both)
}
/** Outside V8's heap, where hashing in Node finds it without moving it. */
const both = new Uint8Array(new ArrayBuffer(64))

/** The same size, log root and state root. */
export function sameHead(a: Head, b: Head): boolean {
  return a.size === b.size && equalBytes(a.logRoot, b.logRoot) && equalBytes(a.stateRoot, b.stateRoot)
}

function checkSupported(version: number): void {
  if (version !== PROTOCOL_VERSION) {
    throw new SealError('unsupported-version', `This space has moved to protocol version ${version}; this client knows ${PROTOCOL_VERSION}.`, { found: version, expected: PROTOCOL_VERSION })
  }
}

function ignored(code: IgnoredCode, detail?: string): Outcome {
  return { verdict: { kind: 'ignored', code, ...(detail !== undefined && { detail }) } }
}
