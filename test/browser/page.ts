/** What the test page offers to the tests: spaces on IndexedDB, through the package's own entry points. */
import { createSpace, isSealError, joinSpace, openSpace, type SealedSpace } from 'sealdb'
import { audit } from '../../engine/space/audit.js'
import { loadProvider } from '../../engine/crypto/load.js'
import { indexedDbStore } from '../../engine/store/indexeddb.js'

let space: SealedSpace | undefined
const opened = (): SealedSpace => {
  if (space === undefined) throw new Error('no space is open in this tab')
  return space
}
const hex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')

/** Errors cross into the test as their code. */
async function codeOf(work: () => Promise<unknown>): Promise<string> {
  try {
    await work()
    return 'ok'
  } catch (error) {
    return isSealError(error) ? error.code : String(error)
  }
}

const page = {
  create: async (name: string, relay?: string) => { space = await createSpace({ store: indexedDbStore(name), profile: { name }, ...(relay !== undefined && { relay }) }) },
  open: (name: string) => codeOf(async () => { space = await openSpace({ store: indexedDbStore(name) }) }),
  join: async (name: string, link: string) => { space = await joinSpace(link, { store: indexedDbStore(name), profile: { name } }) },
  exec: (sql: string) => opened().exec(sql).then(() => undefined),
  rows: async (sql: string) => (await opened().query(sql)).rows,
  invite: () => opened().invite({ role: 'writer' }),
  settled: () => opened().settled(),
  online: () => opened().online(),
  root: () => hex(opened().head.stateRoot),
  size: () => opened().head.size,
  close: () => opened().close(),
  /** Insert from `from` on, one entry each, until the page dies. Told by `acknowledged` once each is durable. */
  hammer: (from: number) => {
    void (async () => {
      for (let i = from; ; i++) {
        await opened().query('INSERT INTO n VALUES (?)', [i])
        localStorage.setItem('acknowledged', String(i))
      }
    })()
  },
  acknowledged: () => Number(localStorage.getItem('acknowledged') ?? -1),
  /** Everything recomputed from entry zero, from what the browser kept. */
  audit: async (name: string) => {
    const store = await indexedDbStore(name).open()
    try {
      return (await audit(store, await loadProvider())).problems
    } finally {
      await store.close()
    }
  },
}

export type Page = typeof page
Object.assign(globalThis, { page })
