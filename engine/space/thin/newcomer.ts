/** What a newcomer who takes no rows begins with: the kernel of the state at the link's anchor, or nothing at all; and how it reads on from there. */
import type { ApplyEnv } from '../../state/context.js'
import { isSealError, SealError } from '../../errors.js'
import { verifyPage } from '../../state/pages.js'
import { PartialTree } from '../../state/partial.js'
import type { Query } from '../../state/queries.js'
import { sameHead } from '../apply.js'
import type { Follower, HeldState } from '../follower.js'
import { decodeManifest } from '../snapshot-manifest.js'
import type { SnapshotChannel } from '../join-snapshot.js'
import type { Head } from '../types.js'
import { KERNEL_QUERIES, resumeAt } from './kept.js'
import { RemoteState, type NodeSource } from './remote.js'

/** How a newcomer reads a state of which a part is here. */
export class PartialStart {
  readonly tree: PartialTree
  readonly #remote: RemoteState
  #claimed: { readonly head: Head; readonly held: HeldState } | undefined

  constructor(env: ApplyEnv, tree: PartialTree, source: NodeSource) {
    this.tree = tree
    this.#remote = new RemoteState(env.crypto, tree, () => this.#claim(), () => Promise.resolve(), 0)
    this.#remote.connect(source, true)
  }

  /** What is missing is asked of the state where this follower is now, until the next call. */
  stand(follower: Follower): void {
    this.#claimed?.held.tree.release()
    this.#claimed = { head: follower.head, held: follower.hold() }
  }

  graft(witness: Uint8Array): void {
    if (this.#claimed !== undefined && witness.length > 0) this.#remote.graft(witness)
  }

  reach<T>(program: () => T): Promise<T> {
    return this.#remote.reach(program, 'locked')
  }

  release(): void {
    this.#claimed?.held.tree.release()
    this.#claimed = undefined
  }

  #claim(): { readonly head: Head; readonly version: HeldState['tree']['state']['version']; release(): void } {
    if (this.#claimed === undefined) throw new SealError('invariant', 'A newcomer lacks a part of the empty state. Please report this.')
    return { head: this.#claimed.head, version: this.#claimed.held.tree.state.version, release: () => undefined }
  }
}

/** A follower at the anchor; undefined if the source has not that state at hand, or no manifest of it: then the log is replayed. Throws what a lie deserves. */
export async function takeKernel(env: ApplyEnv, anchor: Head, source: NodeSource, snapshot: SnapshotChannel): Promise<{ readonly follower: Follower; readonly tree: PartialTree } | undefined> {
  const bytes = await snapshot.manifest(anchor.size)
  if (bytes === undefined) return undefined
  const { head, frontier } = decodeManifest(bytes)
  if (!sameHead(head, anchor)) throw new SealError('bad-proof', 'Expected the snapshot at the link’s anchor, got one of another head.', { size: anchor.size, found: head.size })
  let opened: ReturnType<typeof PartialTree.open> | undefined
  try {
    for (let rest: readonly Query[] = KERNEL_QUERIES; rest.length > 0;) {
      const page = await source.page(anchor, rest)
      ;({ rest } = verifyPage(env.crypto, anchor.stateRoot, rest, page))
      if (opened === undefined) opened = PartialTree.open(env.crypto, anchor.stateRoot, page.proof)
      else opened.tree.graft(opened.version, page.proof)
    }
  } catch (error) {
    if (isSealError(error, 'relay-refused') && error.facts.code === 'gone') return undefined
    throw error
  }
  if (opened === undefined) throw new SealError('invariant', 'The kernel has no queries. Please report this.')
  return resumeAt(env, anchor, frontier, opened)
}
