/**
 * What a thin client without a row would commit, beside what a replica would: the answers of each statement, and the draft at its end, which is taken out of its
 * hands before it becomes an entry. So any number of programs start from the same state.
 */
import { isSealError } from '../../engine/errors.js'
import { PackedRows } from '../../engine/space/packed-rows.js'
import type { Space } from '../../engine/space/space.js'
import type { Draft } from '../../engine/space/types.js'
import { Database } from '../../query/database.js'
import { founder, testRelay, until, type TestPeer } from './support.js'
import { thinInvited } from './thin-support.js'

/** Of a program: one statement, or several in a transaction. */
export interface Outcome { readonly answers: readonly unknown[]; readonly rows: readonly string[]; readonly reads: readonly string[] }

const text = (value: unknown): string => JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? `${each}n` : each instanceof Uint8Array ? Buffer.from(each).toString('hex') : each))

function changesOf({ rows }: Draft): readonly unknown[] {
  if (!(rows instanceof PackedRows)) return rows
  return Array.from({ length: rows.length }, (_, i) => ({ kind: rows.kind(i), table: rows.table(i), key: rows.key(i), beside: rows.beside(i), content: rows.content(i) }))
}

class Taken extends Error {}

async function outcomeOf(space: Space, db: Database, program: readonly string[], settings: string): Promise<Outcome> {
  const answers: unknown[] = []
  let rows: readonly string[] = []
  let reads: readonly string[] = []
  const taken = (draft: Draft): Promise<never> => {
    rows = changesOf(draft).map(text).sort()
    reads = draft.reads.map(text).sort()
    return Promise.reject(new Taken())
  }
  Object.defineProperty(space, 'commit', { value: taken, configurable: true })
  try {
    await db.exec(settings)
    for (const sql of program.length === 1 ? program : ['BEGIN', ...program, 'COMMIT']) {
      try {
        answers.push((await db.queryRaw(sql)).rows.map(text).sort())
      } catch (error) {
        if (!(error instanceof Taken) && !isSealError(error)) throw error
        answers.push(error.message)
      }
    }
    await db.query('ROLLBACK').catch(() => undefined) // if COMMIT was refused
  } finally {
    Reflect.deleteProperty(space, 'commit')
  }
  return { answers, rows, reads }
}

export interface Both {
  /** What the replica does, and what a thin client does that has fetched nothing. */
  perform(program: readonly string[], settings?: string): Promise<{ readonly replica: Outcome; readonly thin: Outcome }>
  readonly peers: readonly TestPeer[]
}

export async function bothOf(script: string): Promise<Both> {
  const relay = await testRelay()
  const ada = await founder(relay, 'drafts Ada')
  const db = await Database.open(ada.space)
  await db.exec(script)
  await until(() => ada.space.outbox().length === 0, 'written')
  const tim = await thinInvited(relay.dial, ada, 'Tim', 'admin')
  await until(() => tim.space.head.size === ada.space.head.size, 'in step')
  return {
    peers: [ada, tim],
    perform: async (program, settings = 'PRAGMA foreign_keys = ON') => {
      const replica = await outcomeOf(ada.space, db, program, settings)
      const thin = await Database.open(tim.space)
      try {
        return { replica, thin: await outcomeOf(tim.space, thin, program, settings) }
      } finally {
        await thin.close()
      }
    },
  }
}
