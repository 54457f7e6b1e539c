/**
 * One writer per database: a Web Lock, which the browser lets go when the tab dies. Without Web Locks (an insecure context) only this
 * page is covered, and the owner's mark in the database (see `database.ts`) stops a second page from writing over the first.
 */
import { SealError } from '../../errors.js'

const openHere = new Set<string>()

/** Resolves to what lets it go. Throws `store-locked`. */
export async function takeWebLock(name: string): Promise<() => Promise<void>> {
  const lockName = `sealdb-store ${name}`
  const locks = typeof navigator === 'undefined' ? undefined : (navigator.locks as LockManager | undefined) // absent in insecure contexts
  if (!locks) {
    if (openHere.has(lockName)) throw lockedError(name)
    openHere.add(lockName)
    return async () => {
      openHere.delete(lockName)
    }
  }
  return new Promise((resolve, reject) => {
    const held = locks.request(lockName, { ifAvailable: true }, (lock) => {
      if (!lock) throw lockedError(name)
      return new Promise<void>((free) => {
        resolve(async () => {
          free()
          await held
        })
      })
    })
    held.catch(reject)
  })
}

function lockedError(name: string): SealError {
  return new SealError('store-locked', `The store ${name} is open already, in this tab or another.`, { name })
}
