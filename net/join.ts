/** The network's part of joining by a link: a connection that was let in by the invitation's key. */
import { isSealError, SealError } from '../engine/errors.js'
import type { InvitationLink } from '../engine/group/link.js'
import type { JoinChannel } from '../engine/space/join.js'
import { decodeManifest } from '../engine/space/snapshot-manifest.js'
import { greet, pullStep, pullWitnessed } from './client.js'
import { askPage } from './reads.js'
import type { Dial } from './transport.js'

/** What is replayed whole although there is a snapshot: it takes a moment, and who holds every entry can hand them back to a relay that lost them. */
export interface ShortHistory { readonly entries: number; readonly rows: number }
const SHORT: ShortHistory = { entries: 2_000, rows: 10_000 }

/** `sign`: the invitation key's answer to the relay's challenge. Close it when joined. */
export async function joinChannel(
  dial: Dial, link: InvitationLink, sign: (relayName: string, nonce: Uint8Array) => Uint8Array, onProgress?: (received: number) => void, short: ShortHistory = SHORT, thin = false,
): Promise<JoinChannel & { close(): void }> {
  const { relay } = link
  if (!relay) throw new SealError('bad-argument', 'This link names no relay; the space must be attached to one before others can join.')
  const { rpc, name, nonce } = await greet(dial, relay.url, link.spaceId, relay)
  try {
    await rpc.call({ kind: 'authInvitation', invitation: link.invitation, signature: sign(name, nonce) }, 'welcome')
  } catch (error) {
    rpc.close()
    if (!isSealError(error, 'relay-refused') || error.facts.code !== 'denied') throw error
    throw new SealError('relay-refused', 'This invitation is not open: it was used up or revoked, has expired, or ended when somebody was removed. Ask for a new link.', error.facts, { cause: error })
  }
  let news = false
  let wake: () => void = () => undefined
  rpc.onPush = () => {
    news = true
    wake()
  }
  return {
    pull: async (from) => (thin ? pullWitnessed(rpc, from) : pullStep(rpc, from, onProgress)),
    source: { page: (head, queries) => askPage(rpc, head, queries) },
    append: async (record) => {
      const { refused } = await rpc.call({ kind: 'append', records: [record] }, 'appended')
      return refused === '' ? 'sent' : 'refused'
    },
    wait: () =>
      new Promise((resolve) => {
        if (news || !rpc.open) setTimeout(resolve, 50)
        else {
          const timer = setTimeout(resolve, 1_000)
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        }
        news = false
      }),
    snapshot: {
      manifest: async (size) => {
        const { manifest } = await rpc.call({ kind: 'snapshot', size }, 'snapshotIs')
        if (manifest.length === 0) return undefined
        const rows = decodeManifest(manifest).counts.reduce((sum, count) => sum + count, 0)
        return !thin && size < short.entries && rows < short.rows ? undefined : manifest
      },
      rows: async (size, from, count) => {
        const { proof } = await rpc.call({ kind: 'rows', size, from, count }, 'rowsAre')
        return proof.length === 0 ? undefined : proof
      },
    },
    close: () => rpc.close(),
  }
}
