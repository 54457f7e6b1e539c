/** An entry of ops that must be in the log before its author goes on; and going on where others were faster. */
import { isSealError, SealError } from '../errors.js'
import type { BuildContext } from '../group/builders.js'
import type { Workbench } from './build.js'
import type { Space } from './space.js'
import type { SettleState } from './types.js'

export type Ops = ReturnType<Parameters<Space['commitOps']>[0]>

/** Write, and wait until it is in the verified log. Throws `rejected` if the log rejects it: somebody else was faster; `disconnected` if the space is closed before. */
export async function settle(space: Space, build: (context: BuildContext) => Ops, withKeyring: 'with-keyring' | 'as-needed' = 'as-needed'): Promise<SettleState> {
  const committed = await space.commitOps(build, withKeyring)
  return ended(await whileOpen(space, committed.settled))
}

/** `work`, unless the space is closed before that ends: then it may never, and `disconnected` is thrown. */
export async function whileOpen<T>({ ending }: Pick<Space, 'ending'>, work: Promise<T>): Promise<T> {
  let stop: (() => void) | undefined
  const ended = new Promise<never>((_, reject) => {
    stop = () => reject(closedFirst())
    if (ending.aborted) stop()
    else ending.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([work, ended])
  } finally {
    if (stop) ending.removeEventListener('abort', stop)
  }
}

export function closedFirst(): SealError {
  return new SealError('disconnected', 'The space was closed while this waited for the relay. What was written is kept, and sent when the space is open again.')
}

/** The state, unless it is a refusal. */
export function ended(state: SettleState): SettleState {
  if (state.kind !== 'rejected') return state
  const { verdict } = state
  const code = verdict.kind === 'applied' ? 'applied' : verdict.code
  throw new SealError('rejected', `Somebody else changed the space first (${code}); try again.`, { code, index: state.index })
}

/** False if there was nothing to write. */
export async function settleUnlessEmpty(space: Space, build: (context: BuildContext) => Ops, withKeyring?: 'with-keyring'): Promise<boolean> {
  const empty = new SealError('bad-argument', 'Nothing to write.')
  try {
    await settle(space, (context) => {
      const ops = build(context)
      if (ops.length === 0) throw empty
      return ops
    }, withKeyring)
    return true
  } catch (error) {
    if (error !== empty) throw error
    return false
  }
}

const RACES: ReadonlySet<string> = new Set(['conflict', 'chain', 'base', 'epoch', 'device-prev'])

/** Again, on the state as it is by then, whenever others were faster: at most `most` times more. */
export async function insist<T>(work: () => Promise<T>, most: number, onConflict?: () => void): Promise<T> {
  for (let conflicts = 0; ; conflicts++) {
    try {
      return await work()
    } catch (error) {
      if (!isRace(error) || conflicts === most) throw error
      onConflict?.()
    }
  }
}

/** Refused at a place in the log, or for what others may have changed meanwhile. What is refused for itself stays refused. */
function isRace(error: unknown): boolean {
  return isSealError(error, 'rejected') && (error.facts['index'] !== undefined || RACES.has(String(error.facts['code'])))
}

/** What rows and objects that are there are sealed again with. Throws `read-only` for a device that was removed. */
export function workbenchOf(space: Space, context: BuildContext): Workbench {
  const { role } = space.me
  if (role === undefined) throw new SealError('read-only', 'This device was removed from the space.', { reason: 'removed' })
  return { env: space.env, state: space.currentState, device: context.device, role, secrets: context.keyring, random: context.random }
}
