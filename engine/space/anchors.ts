/**
 * The states that newcomers may start from: right after each entry that made an invitation, where links are anchored (PROTOCOL.md §9.5), while the
 * invitation is open. Versions of a tree share what is the same, so each costs what has changed since. A relay keeps one of these beside its follower.
 */
import { openInvitations, readMeta } from '../group/roster.js'
import { MAX_ANCHOR_STATES } from '../limits.js'
import type { Follower } from './follower.js'
import { SnapshotSource } from './snapshot-chunks.js'

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
