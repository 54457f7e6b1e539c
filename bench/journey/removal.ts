/** Removing one member of a hundred: the new epoch's secret is delivered to all who stay, with proofs that everybody verifies. */
import { memoryStore } from 'sealdb'
import { loadProvider } from '../../engine/crypto/load.js'
import { buildJoin } from '../../engine/group/builders.js'
import { parseLink } from '../../engine/group/link.js'
import { readMeta } from '../../engine/group/roster.js'
import { invite, remove } from '../../engine/space/acts.js'
import { buildRecord } from '../../engine/space/build.js'
import { Follower } from '../../engine/space/follower.js'
import { createSpace, openSpace } from '../../engine/space/open.js'
import { encodeHead, NAMES } from '../../engine/space/persist.js'
import type { Space, SpaceOptions } from '../../engine/space/space.js'
import type { Figure } from '../bars.js'
import { took } from '../clock.js'
import { short } from '../report.js'

export async function removal(members: number): Promise<Figure[]> {
  const options: SpaceOptions = {
    crypto: await loadProvider('node'),
    random: (length) => globalThis.crypto.getRandomValues(new Uint8Array(length)),
    now: () => Date.now(),
  }
  const space = await crowd(options, members)
  const leaving = Math.floor(members / 2)
  const { wall, cpu } = await took(() => remove(space, { members: [leaving] }))
  const [record] = await space.store.read(space.head.size - 1, space.head.size)
  await space.close()
  return [{ name: `remove a member of ${members}`, value: cpu, unit: 'ms of CPU', note: `built, verified, stored; node provider; ${short(wall)} ms by the wall; an entry of ${record?.length ?? 0} bytes` }]
}

/** A space with so many members of one device each, who all came by one link. */
async function crowd(options: SpaceOptions, members: number): Promise<Space> {
  const { crypto, random, now } = options
  const store = await memoryStore().open()
  const founder = await createSpace(store, options)
  const link = parseLink(crypto, await invite(founder, { role: 'writer', uses: members - 1 }))
  const [genesis, ...rest] = await store.read(0, store.size)
  const follower = Follower.found(crypto, genesis as Uint8Array)
  for (const record of rest) follower.follow(record, 'check')
  const joins: Uint8Array[] = []
  for (let i = 1; i < members; i++) {
    const signer = crypto.signer(random(32))
    const state = follower.state.tree
    const base = follower.head
    const op = buildJoin({ crypto, random, now, spaceId: link.spaceId, base, state, invitation: link.invitation, secret: link.secret, signer, agreementSeed: random(32) } as Parameters<typeof buildJoin>[0])
    const record = buildRecord(follower.env, { signer, base, device: 0, devicePrev: new Uint8Array(32), epoch: readMeta(state).epoch, time: now() }, [op])
    const { verdict } = follower.follow(record, 'check')
    if (verdict.kind !== 'applied') throw new Error(`A join was ${verdict.kind}: ${verdict.code}.`)
    joins.push(record)
  }
  await store.commit({ at: store.size, append: joins, put: [[NAMES.head, encodeHead(follower.head)]] })
  return openSpace(store, options)
}
