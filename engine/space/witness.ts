/**
 * The state machine for those who hold no state (PROTOCOL.md §6.6): whoever has the tree records what applying some records opened of it;
 * whoever has only the head before them applies the same records over just that, and gets the same verdicts and the same head after.
 *
 * A witness that hides, adds or changes anything is `bad-proof`: it never makes another verdict.
 */
import { equalBytes } from '../codec/bytes.js'
import { SealError } from '../errors.js'
import { frontierRoot, type Frontier } from '../log/frontier.js'
import { viewOf } from '../state/adapt.js'
import { type ApplyEnv } from '../state/context.js'
import { replay } from '../state/record.js'
import { type StateTree } from '../state/tree.js'
import { type StateView as TreeView, type Version } from '../state/view.js'
import { verifyTogether } from './aside.js'
import { applyWith, headOf, type ApplyOptions, type SpaceState } from './apply.js'
import type { SignatureTrust } from './follower.js'
import { type Head, type Verdict } from './types.js'

export interface Witnessed {
  readonly head: Head
  readonly log: Frontier
  readonly verdicts: readonly Verdict[]
}

/**
 * What `records` open of a state, as one proof. `version` is the state before them, `log` the log. What is opened depends on the signatures too (a bad
 * one opens less), so `trusted` here is for records that the recorder has checked.
 */
export function recordWitness(
  env: ApplyEnv, tree: StateTree, version: Version, log: Frontier, records: readonly Uint8Array[], options: ApplyOptions,
): Witnessed & { readonly witness: Uint8Array } {
  const hints = options.signature === 'check' ? verifyTogether(env.crypto, tree.at(version), records) : []
  const { result, proof } = tree.record(version, (state) => run(env, state, log, records, options, hints))
  return { ...result, witness: proof }
}

/**
 * The head after `records`, from the head before them. Throws `bad-proof`, `bad-encoding` or `too-large` for a witness that isn't exactly theirs,
 * `bad-argument` if `log` is not the frontier of `head`. Signatures are checked unless the caller has done so.
 */
export function applyWithWitness(env: ApplyEnv, head: Head, log: Frontier, records: readonly Uint8Array[], witness: Uint8Array, options: ApplyOptions): Witnessed {
  if (log.size !== head.size || !equalBytes(frontierRoot(env.crypto, log), head.logRoot)) {
    throw new SealError('bad-argument', 'Expected the frontier of the head.', { size: head.size, found: log.size })
  }
  return replay(env.crypto, head.stateRoot, witness, (state) => run(env, state, log, records, options))
}

/** One program for both sides. `hints`: signatures that were looked at before, which opens nothing more and nothing less. */
function run(env: ApplyEnv, tree: TreeView, log: Frontier, records: readonly Uint8Array[], options: ApplyOptions, hints: readonly SignatureTrust[] = []): Witnessed {
  let state: SpaceState = { tree: viewOf(tree), log }
  const verdicts: Verdict[] = []
  for (const [i, record] of records.entries()) {
    const hint = hints[i]
    const goodUnder = typeof hint === 'object' ? hint.goodUnder : undefined
    const applied = applyWith(env, state, record, (check, _, key) => options.signature === 'trusted' || (goodUnder !== undefined && equalBytes(goodUnder, key)) || check())
    state = applied.state
    verdicts.push(applied.verdict)
  }
  return { head: headOf(env, state), log: state.log, verdicts }
}
