/**
 * Follows one space's log: state after the last record, and the tree of all leaf hashes. Holds no secret, so a relay is one of these; a
 * client's space has one for what is verified. In memory only: who owns it makes things durable.
 */
import { equalBytes } from '../codec/bytes.js'
import type { CryptoProvider } from '../crypto/provider.js'
import { SealError } from '../errors.js'
import { RING_SIZE } from '../limits.js'
import { EMPTY_FRONTIER } from '../log/frontier.js'
import { LogTree } from '../log/tree.js'
import { type AdaptedState, viewOf } from '../state/adapt.js'
import type { ApplyEnv } from '../state/context.js'
import { StateTree } from '../state/tree.js'
import type { StateView as TreeView, Version } from '../state/view.js'
import { type Applied, applyWith, headOf, type SignatureRule, type SpaceState } from './apply.js'
import { TOGETHER, verifyTogether } from './aside.js'
import { type Entry, spaceIdOf } from './entry.js'
import type { Head, Verdict } from './types.js'

/** A state of a tree's version, to be released once by whoever got it. */
export type HeldState = SpaceState & { readonly tree: AdaptedState<TreeView> }

/** `goodUnder`: it was verified before, and is that key's. Whether that is the key it has to be, the state says. */
export type SignatureTrust = 'check' | 'trusted' | { readonly goodUnder: Uint8Array }

export interface Followed {
  readonly verdict: Verdict
  readonly hash: Uint8Array
  /** What was applied. */
  readonly entry?: Entry
}

export class Follower {
  readonly env: ApplyEnv
  readonly states: StateTree
  #state: HeldState
  #head: Head | undefined
  /** Heads of the last entries, ascending by size: state roots are not in the log. */
  #recent: Head[] = []
  readonly #log: LogTree
  /** Of the record that is being judged. */
  #trust: SignatureTrust = 'check'
  /** One for all records: see `everyOp`. */
  readonly #rule: SignatureRule = (check, _, key) => this.#trust === 'trusted' || (typeof this.#trust === 'object' && equalBytes(this.#trust.goodUnder, key)) || check()

  private constructor(env: ApplyEnv, states: StateTree, state: HeldState, log: LogTree) {
    this.env = env
    this.states = states
    this.#state = state
    this.#log = log
  }

  /** The space that a genesis record founds. Throws `bad-genesis` if it founds none. */
  static found(crypto: CryptoProvider, genesis: Uint8Array, states: StateTree = new StateTree(crypto)): Follower {
    const env: ApplyEnv = { crypto, spaceId: spaceIdOf(crypto, genesis) }
    const follower = new Follower(env, states, { tree: viewOf(states.at(states.empty)), log: EMPTY_FRONTIER }, new LogTree(crypto))
    const { verdict } = follower.follow(genesis, 'check')
    if (verdict.kind !== 'applied') {
      const code = verdict.code
      throw new SealError('bad-genesis', `Expected the genesis of a space; found a record that is ${verdict.kind}(${code}).`, { code })
    }
    return follower
  }

  /** Continue from a state and a log, both already compared with a trusted head. `version` and `log` pass into its ownership. */
  static resume(env: ApplyEnv, states: StateTree, version: Version, log: LogTree): Follower {
    return new Follower(env, states, { tree: viewOf(states.at(version)), log: log.frontier() }, log)
  }

  get state(): HeldState {
    return this.#state
  }
  get head(): Head {
    return (this.#head ??= headOf(this.env, this.#state))
  }
  get log(): LogTree {
    return this.#log
  }

  /** The head after `size` entries, if it is one of the last that were followed. */
  headAt(size: number): Head | undefined {
    return size === this.head.size ? this.head : this.#recent[size - (this.#recent[0]?.size ?? 0)]
  }

  /** Take the next record of the log, whatever its verdict. */
  follow(record: Uint8Array, signature: SignatureTrust): Followed {
    return this.adopt(this.judge(record, signature))
  }

  /** Take the next records, one after the other: their signatures are looked at together, as far as the state at the first of a slice knows whose they are. */
  followAll(records: readonly Uint8Array[], signature: 'check' | 'trusted', onFollowed: (followed: Followed, index: number) => void = () => undefined): void {
    for (let from = 0; from < records.length; from += TOGETHER) {
      const slice = records.slice(from, from + TOGETHER)
      const trust = signature === 'check' ? verifyTogether(this.env.crypto, this.#state.tree, slice) : []
      for (const [i, record] of slice.entries()) onFollowed(this.follow(record, trust[i] ?? signature), from + i)
    }
  }

  /** What would become of a record here. The state that comes back is the caller's to release, or to `adopt`. */
  judge(record: Uint8Array, signature: SignatureTrust = 'check'): Applied {
    this.#trust = signature
    return applyWith(this.env, this.#state, record, this.#rule)
  }

  /** Take the outcome of `judge`, made at this very state. */
  adopt(applied: Applied): Followed {
    const next = applied.state as HeldState
    if (next.log.size !== this.#state.log.size + 1) throw new SealError('invariant', 'An outcome was adopted at another state than it was made at.')
    this.#recent.push(this.head)
    if (this.#recent.length > 2 * RING_SIZE) this.#recent = this.#recent.slice(-RING_SIZE)
    this.#log.append(applied.hash)
    this.#move(next)
    return applied
  }

  /** A claim on the present state of its own, for views and marks. */
  hold(): HeldState {
    return this.claim(this.#state)
  }

  /** Another claim on a state of this follower's tree. */
  claim(state: SpaceState): HeldState {
    const { version } = (state.tree as HeldState['tree']).state
    return { ...state, tree: viewOf(this.states.at(this.states.retain(version))) }
  }

  /** Go back to a held state of this follower's past; takes over the claim. */
  reset(held: HeldState): void {
    this.#log.truncate(held.log.size)
    this.#recent = this.#recent.filter(({ size }) => size < held.log.size)
    this.#move(held)
  }

  /** Go over to another follower's history, which is the same as this one's up to `size`. Its state is taken as it is, or its rows into this tree. */
  rebranch(size: number, other: Follower): void {
    const { state } = other.#state.tree
    const version = other.states === this.states ? this.states.retain(state.version) : this.states.build(state.scan())
    this.#log.truncate(size)
    for (let i = size; i < other.head.size; i++) this.#log.append(other.#log.leaf(i))
    this.#recent = []
    this.#move({ tree: viewOf(this.states.at(version)), log: this.#log.frontier() })
  }

  release(): void {
    this.#state.tree.release()
  }

  #move(next: HeldState): void {
    this.#state.tree.release()
    this.#state = next
    this.#head = undefined
  }
}
