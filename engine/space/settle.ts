/** An entry of ops that must be in the log before its author goes on. */
import { SealError } from '../errors.js'
import type { BuildContext } from '../group/builders.js'
import type { Space } from './space.js'
import type { SettleState } from './types.js'

export type Ops = ReturnType<Parameters<Space['commitOps']>[0]>

/** Write, and wait until it is in the verified log. Throws `rejected` if the log rejects it: somebody else was faster. */
export async function settle(space: Space, build: (context: BuildContext) => Ops, withKeyring: 'with-keyring' | 'as-needed' = 'as-needed'): Promise<SettleState> {
  const committed = await space.commitOps(build, withKeyring)
  return ended(await committed.settled)
}

/** The state, unless it is a refusal. */
export function ended(state: SettleState): SettleState {
  if (state.kind !== 'rejected') return state
  const { verdict } = state
  const code = verdict.kind === 'applied' ? 'applied' : verdict.code
  throw new SealError('rejected', `Somebody else changed the space first (${code}); try again.`, { code, index: state.index })
}
