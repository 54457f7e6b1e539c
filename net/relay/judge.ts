/**
 * How a relay judges and signs: the engine's follower as a ledger, the relay's own key, challenges. Three depths of checking:
 *
 * - `full`: the whole state machine. Nothing that would be rejected or ignored enters the log.
 * - `group`: the same machine runs, since it needs no schema and no secret; entries it rejects are stored with their verdict, so a relay
 *   with this setting never tells a device more than "stored". Ignored entries (malformed, unknown device, bad signature) are refused.
 * - `unsafe-none`: whatever comes is stored. For tests: clients are safe under it, too.
 *
 * All three sign the same notes, as they know the same state.
 */
import { equalBytes, LITTLE_ENDIAN } from '../../engine/codec/bytes.js'
import { Reader, Writer } from '../../engine/codec/canonical.js'
import { loadProvider } from '../../engine/crypto/load.js'
import type { CryptoProvider } from '../../engine/crypto/provider.js'
import { isSealError, SealError } from '../../engine/errors.js'
import { readGrave } from '../../engine/group/graves.js'
import { openInvitations, readDevice } from '../../engine/group/roster.js'
import { checkpointSigner, formatStateLine, originOfSpace, signCheckpoint } from '../../engine/log/checkpoint.js'
import type { LogProof } from '../../engine/log/merkle.js'
import { AnchorStates } from '../../engine/space/anchors.js'
import { type SignedRecord, verifyAside } from '../../engine/space/aside.js'
import { decodeRecord, entryHash } from '../../engine/space/entry.js'
import { type FileFacts, readFile, storedFiles, verifyChunk } from '../../engine/space/file-record.js'
import { type Followed, Follower, type HeldState, type SignatureTrust } from '../../engine/space/follower.js'
import { LogTree } from '../../engine/log/tree.js'
import { recordWitness } from '../../engine/space/witness.js'
import { verifyHandshake } from '../../engine/space/handshake.js'
import { everyOp } from '../../engine/space/ops/encoded.js'
import { isRowOp } from '../../engine/space/ops/row.js'
import { decodeRelay, isSameRelay } from '../../engine/space/ops/space.js'
import type { Head, Verdict } from '../../engine/space/types.js'
import { IMAGE_VERSION, imageHead, readImage, snapshotSeal, type SnapshotSeal, writeImage } from '../../engine/space/snapshot-image.js'
import { relayKey } from '../../engine/state/keys.js'
import { provePage } from '../../engine/state/pages.js'
import { readQueries } from '../../engine/state/queries.js'
import { MAX_PAGE_BYTES, MAX_PAGE_LENGTH, MAX_PAGE_ROWS, MAX_READABLE_HEADS } from '../../engine/limits.js'
import type { Access, Aside, FormerHead, Ledger, LedgerImage, LedgerMark, ReadableState, RelaySnapshot, Retrace } from './ledger.js'
import type { RelayJudge } from './relay.js'
import type { RelayLog, RelayStore } from './store.js'
import type { VerifyThread } from './verify-thread.js'

export type Verify = 'full' | 'group' | 'unsafe-none'

export interface JudgeOptions {
  readonly store: RelayStore
  readonly name: string
  readonly random: (length: number) => Uint8Array
  readonly verify: Verify
  /** Default: the fastest there is. */
  readonly crypto?: CryptoProvider
  /** For batches of signatures; default: this thread. */
  readonly thread?: Pick<VerifyThread, 'good' | 'verifying'> | undefined
}

/** Reads the relay's key from the store, or makes it. */
export async function createJudge(options: JudgeOptions): Promise<RelayJudge> {
  const crypto = options.crypto ?? (await loadProvider())
  const seed = (await options.store.get('signer')) ?? (await options.store.setOnce('signer', options.random(32)))
  const signer = crypto.signer(seed)
  const note = checkpointSigner(crypto, options.name, signer)
  const own = { name: options.name, publicKey: signer.publicKey, verify: options.verify, thread: options.thread }
  const sealOf = (space: Uint8Array): SnapshotSeal => snapshotSeal({ crypto, random: options.random }, signer, space)
  return {
    publicKey: signer.publicKey,
    found: (space, genesis) => {
      const follower = Follower.found(crypto, genesis)
      if (!equalBytes(follower.env.spaceId, space)) throw new SealError('bad-genesis', 'The genesis record founds another space than the one named.')
      return new FollowerLedger(follower, own, sealOf(space))
    },
    resume: async (space, log) => {
      const stored = LITTLE_ENDIAN ? await log.readSnapshot() : undefined
      if (stored?.meta[0] !== IMAGE_VERSION) return undefined
      const seal = sealOf(space)
      const { follower, aside } = await readImage(stored, { crypto, spaceId: Uint8Array.from(space) }, seal)
      const ledger = new FollowerLedger(follower, own, seal)
      return { ledger, steps: ledger.restore(aside) }
    },
    sign: (space, head) =>
      signCheckpoint({ origin: originOfSpace(space), size: head.size, root: head.logRoot, extensions: [formatStateLine(head.stateRoot)] }, [note]),
    verifyChallenge: (relayName, publicKey, space, nonce, signature) =>
      verifyHandshake(crypto, publicKey, { relayName, space, nonce }, signature),
  }
}

/** States that links are anchored at, in an image: those beyond it are had by replaying the log. */
const MAX_ANCHORS_LENGTH = 64 * 1024 * 1024
const MAX_FORMER_HEADS = 2 ** 24

/** Who judges, and how. */
interface Own { readonly name: string; readonly publicKey: Uint8Array; readonly verify: Verify; readonly thread: JudgeOptions['thread'] }

class FollowerLedger implements Ledger {
  readonly #follower: Follower
  readonly #anchors: AnchorStates
  readonly #own: Own
  /** Sizes of the log, ascending, right after somebody was removed or the space moved to another relay, and the state roots there: so far it is to be read. */
  readonly #partings = new Map<number, Uint8Array>()
  /** The state names another relay: nothing new is to enter this log. */
  #elsewhere: boolean
  /** Devices looked up at this head: every send asks for its reader's. */
  readonly #devices = new Map<number, Access | undefined>()

  readonly #deletedFiles: Uint8Array[] = []
  readonly #seal: SnapshotSeal
  /** Ascending by size. */
  readonly #kept: HeldState[] = []

  constructor(follower: Follower, own: Own, seal: SnapshotSeal) {
    this.#follower = follower
    this.#anchors = new AnchorStates(follower)
    this.#own = own
    this.#elsewhere = this.#isElsewhere()
    this.#seal = seal
  }

  get head(): Head {
    return this.#follower.head
  }

  aside(records: readonly Uint8Array[]): Promise<readonly Aside[]> {
    const { thread } = this.#own
    const good = thread && ((items: readonly SignedRecord[]) => thread.good(items))
    return verifyAside(this.#follower.env.crypto, this.#follower.state.tree, records, { pause: breath, good }) as Promise<readonly unknown[]> as Promise<readonly Aside[]>
  }

  get looksAhead(): boolean {
    return this.#own.thread?.verifying === true
  }

  advance(record: Uint8Array, restored: boolean, aside?: Aside): ReturnType<Ledger['advance']> {
    if (this.#elsewhere && !restored && this.#own.verify !== 'unsafe-none') return { kind: 'refused', reason: 'moved: the space is attached to another relay now', forged: false }
    const outcome = this.#follower.judge(record, trustOf(aside))
    if (this.#takes(outcome.verdict, restored)) {
      this.#follower.adopt(outcome)
      this.#moved(outcome)
      return { kind: 'taken' }
    }
    ;(outcome.state as HeldState).tree.release()
    return { kind: 'refused', reason: describe(outcome.verdict), forged: outcome.verdict.kind === 'ignored' && outcome.verdict.code === 'signature' }
  }

  follow(record: Uint8Array, aside?: Aside): void {
    this.#moved(this.#follower.follow(record, trustOf(aside)))
  }

  mark(): LedgerMark {
    return this.#follower.hold() as unknown as LedgerMark
  }

  reset(mark: LedgerMark): void {
    this.#devices.clear()
    this.#follower.reset(mark as unknown as HeldState)
    this.#anchors.wentBack()
    for (const size of this.#partings.keys()) if (size > this.head.size) this.#partings.delete(size)
    this.#elsewhere = this.#isElsewhere()
  }

  unmark(mark: LedgerMark): void {
    ;(mark as unknown as HeldState).tree.release()
  }

  file(id: Uint8Array): FileFacts | undefined {
    return readFile(this.#follower.state.tree, id)
  }

  *files(after: Uint8Array): Iterable<{ readonly id: Uint8Array; readonly length: number }> {
    yield* storedFiles(this.#follower.state.tree, after)
  }

  isChunk(id: Uint8Array, number: number, chunk: Uint8Array, proof: LogProof): boolean {
    const file = this.file(id)
    if (file === undefined) return false
    try {
      verifyChunk(this.#follower.env.crypto, file, number, chunk, proof)
      return true
    } catch (error) {
      if (isSealError(error, 'bad-proof')) return false
      throw error
    }
  }

  takeDeletedFiles(): readonly Uint8Array[] {
    return this.#deletedFiles.splice(0)
  }

  device(id: number): Access | undefined {
    if (!this.#devices.has(id)) this.#devices.set(id, this.#readDevice(id))
    return this.#devices.get(id)
  }

  invitation(id: number): Access | undefined {
    const open = openInvitations(this.#follower.state.tree, this.head.size).find((invitation) => invitation.id === id)
    return open && { publicKey: open.signing, served: true }
  }

  joining(record: Uint8Array): Uint8Array | undefined {
    const decoded = decodeRecord(record)
    const op = decoded.kind === 'entry' ? decoded.entry.ops.at(0) : undefined
    return op?.op === 'join' ? Uint8Array.from(op.signing) : undefined
  }

  admitted(signing: Uint8Array): number | undefined {
    const grave = readGrave(this.#follower.state.tree, signing)
    return grave?.holder === 'device' && grave.use === 'signing' ? grave.id : undefined
  }

  headAt(size: number, stateRoot: Uint8Array): Head {
    return { size, logRoot: this.#follower.log.root(size), stateRoot }
  }

  partingAfter(from: number): FormerHead | undefined {
    for (const [size, stateRoot] of this.#partings) if (size > from) return { size, stateRoot }
    return undefined
  }

  snapshot(size: number): RelaySnapshot | undefined {
    return this.#anchors.at(size)
  }

  keep(): void {
    this.#kept.push(this.#follower.hold())
    if (this.#kept.length > MAX_READABLE_HEADS) this.#kept.shift()?.tree.release()
  }

  readable(size: number): ReadableState | undefined {
    const held = this.#kept.find(({ log }) => log.size === size) ?? this.#anchors.at(size)?.held
    return held && readableOf(this.#follower, held)
  }

  retrace(size: number): Retrace {
    const { env, states } = this.#follower
    let nearest: HeldState | undefined
    for (const held of [...this.#kept, ...this.#anchors.all]) if (held.log.size <= size && held.log.size > (nearest?.log.size ?? 0)) nearest = held
    const version = nearest ? states.retain(nearest.tree.state.version) : states.empty
    const follower = Follower.resume(env, states, version, new LogTree(env.crypto, nearest?.log))
    return {
      get size() {
        return follower.head.size
      },
      follow: (records) => follower.followAll(records, 'check'),
      readable: () => readableOf(follower, follower.state),
      release: () => follower.release(),
    }
  }

  rootAt(size: number): Uint8Array {
    return this.#follower.log.root(size)
  }

  consistency(from: number, to: number): readonly Uint8Array[] {
    return from === 0 || from === to ? [] : this.#follower.log.consistencyProof(from, to)
  }

  follows(from: number, records: readonly Uint8Array[]): boolean {
    const { env, log } = this.#follower
    return from + records.length <= log.size && records.every((record, i) => equalBytes(entryHash(env.crypto, record), log.leaf(from + i)))
  }

  get memory(): number {
    const { nodeBytes, recordBytes } = this.#follower.states.stats()
    return nodeBytes + recordBytes + 64 * this.#follower.log.size
  }

  image(steps: readonly FormerHead[]): LedgerImage {
    const { head, log } = this.#follower
    const held = this.#follower.hold()
    const own = encodeFormerHeads(steps, [...this.#partings].map(([size, stateRoot]) => ({ size, stateRoot })))
    const anchors = this.#anchors.hold()
    const discard = (): void => {
      held.tree.release()
      anchors.release()
    }
    return {
      discard,
      write: async (to) => {
        try {
          return await writeImage(to, this.#seal, head, held, log, { aside: [own, ...(await anchors.save(MAX_ANCHORS_LENGTH, breath))], pause: breath })
        } finally {
          discard()
        }
      },
    }
  }

  async imagedAt(log: RelayLog): Promise<number | undefined> {
    return imageHead(await log.readSnapshot())?.size
  }

  /** What `image` put beside the state. */
  restore([own, ...anchors]: readonly Uint8Array[]): readonly FormerHead[] {
    const { steps, partings } = decodeFormerHeads(own ?? new Uint8Array(0))
    for (const { size, stateRoot } of partings) this.#partings.set(size, stateRoot)
    this.#anchors.restore(anchors)
    return steps
  }

  #readDevice(id: number): Access | undefined {
    const device = readDevice(this.#follower.state.tree, id)
    if (device?.removedAt === undefined) return device && { publicKey: device.signing, served: true }
    const size = device.removedAt + 1
    const stateRoot = this.#partings.get(size)
    return { publicKey: device.signing, served: false, until: stateRoot && this.headAt(size, stateRoot) }
  }

  /** The head has moved over that. */
  #moved({ entry }: Followed): void {
    if (this.#devices.size > 0) this.#devices.clear()
    if (entry === undefined) return
    if (everyOp(entry.ops, isRowOp)) return // almost all there are
    for (const each of entry.ops) {
      const { op } = each
      if (each.op === 'file.delete') this.#deletedFiles.push(each.id.slice())
      if (each.op === 'relay') {
        this.#elsewhere = this.#isElsewhere()
        if (this.#elsewhere) this.#partings.set(this.head.size, this.head.stateRoot)
      }
      if (op === 'invite.create') this.#anchors.followed()
      if (op === 'member.remove' || op === 'device.remove') this.#partings.set(this.head.size, this.head.stateRoot)
    }
  }

  #takes(verdict: Verdict, restored: boolean): boolean {
    if (this.#own.verify === 'unsafe-none') return true
    return verdict.kind === 'applied' || (verdict.kind === 'rejected' && (this.#own.verify === 'group' || restored))
  }

  #isElsewhere(): boolean {
    const relay = this.#follower.state.tree.get(relayKey())
    return relay !== undefined && !isSameRelay(decodeRelay(relay), { url: '', ...this.#own })
  }
}

/** `held` is of the follower's tree. */
function readableOf(follower: Follower, held: HeldState): ReadableState {
  const { env, states } = follower
  const { tree, log } = follower.claim(held)
  return {
    size: log.size,
    page: (bytes) => {
      const r = new Reader(bytes)
      const queries = readQueries(r)
      r.end()
      const page = provePage(states, tree.state.version, queries, { rows: MAX_PAGE_ROWS, bytes: MAX_PAGE_BYTES })
      // A long row at its end, and many long paths: as short as a page can be.
      return page.proof.length <= MAX_PAGE_LENGTH ? page : provePage(states, tree.state.version, queries, { rows: 1, bytes: 1 })
    },
    // What a bad signature opens is less: they are checked, whatever was checked before.
    witness: (records) => {
      try {
        const recorded = recordWitness(env, states, tree.state.version, log, records, { signature: 'check' })
        return recorded.witness.length <= MAX_PAGE_LENGTH ? recorded : undefined
      } catch (error) {
        if (!isSealError(error, 'too-large')) throw error
        return undefined
      }
    },
    headAfter: (records) => {
      const after = Follower.resume(env, states, states.retain(tree.state.version), new LogTree(env.crypto, log))
      after.followAll(records, 'check')
      const { head } = after
      after.release()
      return head
    },
    release: () => tree.release(),
  }
}

function trustOf(aside: Aside | undefined): SignatureTrust {
  return (aside as unknown as SignatureTrust | undefined) ?? 'check'
}

function describe(verdict: Verdict): string {
  if (verdict.kind === 'applied') return 'applied'
  return `${verdict.kind}(${verdict.code}${verdict.detail === undefined ? '' : `: ${verdict.detail}`})`
}

function encodeFormerHeads(...lists: readonly (readonly FormerHead[])[]): Uint8Array {
  const w = new Writer(1024)
  for (const list of lists) w.list(list, MAX_FORMER_HEADS, (x, { size, stateRoot }) => x.varint(size).fixed(stateRoot, 32))
  return w.finish()
}

function decodeFormerHeads(bytes: Uint8Array): { readonly steps: readonly FormerHead[]; readonly partings: readonly FormerHead[] } {
  const r = new Reader(bytes)
  const next = (): readonly FormerHead[] => r.list(MAX_FORMER_HEADS, (x) => ({ size: x.varint(), stateRoot: x.fixed(32).slice() }), 33)
  const lists = { steps: next(), partings: next() }
  r.end()
  return lists
}

/** While an image is copied, others are served. */
const breath = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
