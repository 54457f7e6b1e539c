/** Spaces of the public interface, on a relay in this process. */
import { createSpace, joinSpace, memoryStore, openSpace, type OpenOptions, type SealedSpace, type StoreLocation } from 'sealdb'
import type { Dial } from '../../net/transport.js'
import { crypto, seededRandom } from '../space/rim-support.js'

export interface Member { readonly space: SealedSpace; readonly store: StoreLocation; readonly options: OpenOptions }

let seeds = 0
const optionsOf = (store: StoreLocation, dial: Dial | undefined): OpenOptions => ({ store, crypto, unsafe: { random: seededRandom(`files ${seeds++}`), ...(dial && { dial }) } })

/** Open until `closeAll`. */
const open: SealedSpace[] = []
export async function closeAll(): Promise<void> {
  for (const space of open.splice(0)) await space.close()
}

export async function found(dial?: Dial, store = memoryStore()): Promise<Member> {
  const options = optionsOf(store, dial)
  const space = await createSpace({ ...options, ...(dial && { relay: 'memory:' }), profile: { name: 'Ada' } })
  open.push(space)
  return { space, store, options }
}

export async function join(by: Member, dial: Dial, role: 'admin' | 'writer' | 'reader' = 'writer', store = memoryStore()): Promise<Member> {
  const options = optionsOf(store, dial)
  const space = await joinSpace(await by.space.invite({ role }), { ...options, profile: { name: 'Bob' } })
  open.push(space)
  return { space, store, options }
}

/** The same device after a restart, perhaps at another relay's door. */
export async function reopen({ space, store }: Member, dial?: Dial, offline = false): Promise<Member> {
  await space.close()
  open.splice(open.indexOf(space), 1)
  const options = { ...optionsOf(store, dial), offline }
  const again = await openSpace(options)
  open.push(again)
  return { space: again, store, options }
}
