/** What a join by a snapshot keeps in the store until it is done (join-snapshot.ts). */
import type { Batch, Store } from '../store/store.js'

export const JOIN_PREFIX = 'join/'

/** What a join that was cut off has left in the store, to be deleted with whatever else is written. */
export function leftOfJoining(store: Store): NonNullable<Batch['put']> {
  return store.names(JOIN_PREFIX).map((name) => [name, null] as const)
}
