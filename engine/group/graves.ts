/**
 * Every public key that was ever admitted: signing and agreement keys, of devices and invitations, alive or gone. A key is admitted once
 * in the life of a space, so no admission can be replayed and no two holders share one.
 */
import { decodeCanonical, encodeCanonical } from '../codec/canonical.js'
import { graveKey, MAX_ID } from '../state/keys.js'
import { type OpContext, requireOr, type StateReader } from '../state/context.js'

const HOLDERS = ['device', 'invitation'] as const
const KEY_USES = ['signing', 'agreement'] as const

export interface Grave {
  readonly holder: (typeof HOLDERS)[number]
  readonly id: number
  readonly use: (typeof KEY_USES)[number]
}

/** Whose key this is or was; undefined if it was never admitted. */
export function readGrave(state: Pick<StateReader, 'get'>, publicKey: Uint8Array): Grave | undefined {
  const bytes = state.get(graveKey(publicKey))
  return bytes === undefined ? undefined : decodeGrave(bytes)
}

/** Take note of a key, once: refuses rule(repeated-key). */
export function admitKey(ctx: OpContext, publicKey: Uint8Array, grave: Grave): void {
  const key = graveKey(publicKey)
  requireOr(ctx.get(key) === undefined, 'rule', 'repeated-key')
  ctx.put(key, encodeGrave(grave))
}

export function encodeGrave(grave: Grave): Uint8Array {
  return encodeCanonical(grave, (w, g) => w.u8(HOLDERS.indexOf(g.holder)).varint(g.id).u8(KEY_USES.indexOf(g.use)))
}

export function decodeGrave(bytes: Uint8Array): Grave {
  return decodeCanonical(bytes, (r) => {
    const holder = HOLDERS[r.u8()]
    const id = r.varint(MAX_ID)
    const use = KEY_USES[r.u8()]
    if (holder === undefined || use === undefined) throw r.bad('Expected a holder and a use of a key')
    return { holder, id, use }
  })
}
