/** What the group has begun and not ended: open invitations, a forget that waits for devices, a re-blinding. Read at once; what acts upon it is in acts.ts. */
import { holdingUpForget, openInvitations, readMeta } from '../group/roster.js'
import type { StateReader } from '../state/context.js'
import { countBlinded, olderGeneration } from './blinded.js'
import { decodeObject, storedObjects } from './catalog.js'
import type { Space } from './space.js'
import type { DeviceId, InvitationView } from './types.js'

/** Invitations that still admit, by id. */
export function invitations(space: Space): readonly InvitationView[] {
  return openInvitations(space.currentState, space.head.size).map(({ id, kind, role, issuer, usesLeft, createdAt, expiresAt }) => ({ id, kind, role, by: issuer, usesLeft, createdAt, expiresAt }))
}

/** Devices that still hold an agreement key from before the latest forget. */
export function pendingForget(space: Space): readonly DeviceId[] {
  return holdingUpForget(space.currentState).map(({ id }) => id)
}

/** Names, rows and unique values that lie under the older secret, if the space is being re-blinded. */
export function reblinding(state: StateReader): { readonly left: number } | undefined {
  const { generation, firstGeneration } = readMeta(state)
  if (firstGeneration === generation) return undefined
  let left = 0
  for (const { id, value } of storedObjects(state)) {
    const object = decodeObject(value)
    left += (object.generation < generation ? 1 : 0) + countBlinded(state, id, object, olderGeneration(state, object) ?? firstGeneration)
  }
  return { left }
}
