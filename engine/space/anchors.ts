/**
 * The states that newcomers may start from: right after each entry that made an invitation, where links are anchored (PROTOCOL.md §9.5), while the
 * invitation is open. Versions of a tree share what is the same, so each costs what has changed since. A relay keeps one of these beside its follower.
 */
import { equalBytes } from '../codec/bytes.js'
import { Reader, Writer } from '../codec/canonical.js'
import { SealError } from '../errors.js'
import { openInvitations, readMeta } from '../group/roster.js'
import { MAX_ANCHOR_STATES, MAX_KEY_LENGTH, MAX_VALUE_LENGTH } from '../limits.js'
import { viewOf } from '../state/adapt.js'
import type { Edit } from '../state/edits.js'
import type { StateTree } from '../state/tree.js'
import type { Follower, HeldState } from './follower.js'
import { SnapshotSource } from './snapshot-chunks.js'

const PART_BYTES = 1024 * 1024
const MAX_PART_EDITS = PART_BYTES

export class AnchorStates {
  readonly #follower: Follower
  /** By size, ascending. */
  readonly #sources = new Map<number, SnapshotSource>()
  #nextInvitation: number

  constructor(follower: Follower) {
    this.#follower = follower
    this.#nextInvitation = this.#next()
  }

  /** Call after each record that the follower took. */
  followed(): void {
    const next = this.#next()
    if (next === this.#nextInvitation) return
    this.#nextInvitation = next
    const { env, states, head } = this.#follower
    this.#prune()
    this.#sources.set(head.size, new SnapshotSource(env, states, this.#follower.hold()))
    for (const size of [...this.#sources.keys()].slice(0, -MAX_ANCHOR_STATES)) this.#drop(size)
  }

  /** The state after `size` entries, if it is kept: to be asked for its manifest and rows now, not to be held on to. */
  at(size: number): SnapshotSource | undefined {
    this.#prune()
    return this.#sources.get(size)
  }

  /** Those that are kept, by size. */
  get all(): readonly HeldState[] {
    this.#prune()
    return [...this.#sources.values()].map(({ held }) => held)
  }

  /** Claims on the states kept and the present one, to be written beside an image of that. */
  hold(): HeldAnchors {
    this.#prune()
    const follower = this.#follower
    return new HeldAnchors(follower.states, [follower.hold(), ...[...this.#sources.values()].reverse().map(({ held }) => follower.claim(held))])
  }

  /** Take up what was saved, the follower being where it was. Throws `store-corrupt`, `bad-encoding` or `too-large` for anything else. */
  restore(parts: readonly Uint8Array[]): void {
    const { states, log, env } = this.#follower
    let later = this.#follower.hold()
    const restored: SnapshotSource[] = []
    try {
      let edits: Edit[] = []
      for (const part of parts) {
        const { size, stateRoot, last } = readPart(part, edits)
        if (!last) continue
        const tree = viewOf(states.at(states.apply(later.tree.state.version, edits)))
        later.tree.release()
        later = { tree, log: log.frontier(size) }
        if (!equalBytes(tree.root, stateRoot)) throw new SealError('store-corrupt', `The state kept of size ${size} is not what it says it is.`, { size })
        restored.push(new SnapshotSource(env, states, this.#follower.claim(later)))
        edits = []
      }
    } catch (error) {
      for (const source of restored) source.release()
      throw error
    } finally {
      later.tree.release()
    }
    for (const source of restored.reverse()) this.#sources.set(source.head.size, source)
  }

  /** The follower went back. */
  wentBack(): void {
    this.#nextInvitation = this.#next()
    const { size } = this.#follower.head
    for (const kept of [...this.#sources.keys()]) if (kept > size) this.#drop(kept)
  }

  release(): void {
    for (const size of [...this.#sources.keys()]) this.#drop(size)
  }

  /** Those of invitations that are open no longer. */
  #prune(): void {
    const open = new Set(openInvitations(this.#follower.state.tree, this.#follower.head.size).map(({ createdAt }) => createdAt + 1))
    for (const size of [...this.#sources.keys()]) if (!open.has(size)) this.#drop(size)
  }

  #next(): number {
    return readMeta(this.#follower.state.tree).nextInvitation
  }

  #drop(size: number): void {
    this.#sources.get(size)?.release()
    this.#sources.delete(size)
  }
}

/** The present state, then those kept, newest first. */
export class HeldAnchors {
  readonly #states: StateTree
  readonly #held: readonly HeldState[]

  constructor(states: StateTree, held: readonly HeldState[]) {
    this.#states = states
    this.#held = held
  }

  /** Each as what is different from the one after it. The oldest are left out if all were longer than `maxBytes`: who wants them replays the log. */
  async save(maxBytes: number, pause: () => Promise<void>): Promise<readonly Uint8Array[]> {
    const parts: Uint8Array[] = []
    let bytes = 0
    for (const [i, held] of this.#held.entries()) {
      const later = this.#held[i - 1]
      if (later === undefined) continue
      const own = [...encodeDifference(held, this.#states.diff(later.tree.state.version, held.tree.state.version))]
      bytes += own.reduce((sum, { length }) => sum + length, 0)
      if (bytes > maxBytes) break
      parts.push(...own)
      await pause()
    }
    return parts
  }

  release(): void {
    for (const { tree } of this.#held) tree.release()
  }
}

/** Parts of `size ‖ stateRoot ‖ last ‖ list of (key ‖ value?)`, a value missing where the key is to go. */
function* encodeDifference({ tree, log }: HeldState, changes: Iterable<{ readonly key: Uint8Array; readonly after?: Uint8Array }>): Iterable<Uint8Array> {
  let edits: Edit[] = []
  let bytes = 0
  const part = (last: boolean): Uint8Array => new Writer(bytes + 128).varint(log.size).fixed(tree.root, 32).bool(last)
    .list(edits, MAX_PART_EDITS, (w, { key, value }) => w.bytes(key, MAX_KEY_LENGTH).optional(value ?? undefined, (x, present) => x.bytes(present, MAX_VALUE_LENGTH))).finish()
  for (const { key, after } of changes) {
    edits.push({ key, value: after ?? null })
    bytes += key.length + (after?.length ?? 0) + 8
    if (bytes < PART_BYTES) continue
    yield part(false)
    edits = []
    bytes = 0
  }
  yield part(true)
}

/** Adds to `edits`. */
function readPart(part: Uint8Array, edits: Edit[]): { readonly size: number; readonly stateRoot: Uint8Array; readonly last: boolean } {
  const r = new Reader(part)
  const head = { size: r.varint(), stateRoot: r.fixed(32).slice(), last: r.bool() }
  for (const edit of r.list(MAX_PART_EDITS, (x): Edit => ({ key: x.copyBytes(MAX_KEY_LENGTH), value: x.optional((at) => at.copyBytes(MAX_VALUE_LENGTH)) ?? null }), 2)) edits.push(edit)
  r.end()
  return head
}
