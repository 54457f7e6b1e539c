/**
 * Random programs, written by several members at once and apart from each other, some of whom are restarted with writes of theirs still waiting: everybody ends with one
 * content, which a session that has followed nothing shows, too; SQLite finds no fault with it; every write is in the log once or its author was told; the log audits.
 * SEALDB_APART_SEEDS runs more, SEALDB_APART_SEED begins there.
 */
import { expect, test } from 'vitest'
import { isSealError } from '../../engine/errors.js'
import { audit } from '../../engine/space/audit.js'
import { openSpace } from '../../engine/space/open.js'
import { Database } from '../../query/database.js'
import type { Dial } from '../../net/transport.js'
import { crypto, founder, invited, startSync, testRelay, until, type TestPeer } from '../net/support.js'
import { optionsOf } from '../space/rim-support.js'
import { shownAlike } from './database-support.js'
import { makeProgram } from './random-program.js'
import { Random } from './random-sql.js'

const FIRST = Number(process.env['SEALDB_APART_SEED'] ?? 1)
const SEEDS = Number(process.env['SEALDB_APART_SEEDS'] ?? (process.env['SEALDB_APART_SEED'] === undefined ? 4 : 1))
const NAMES = ['Ada', 'Bob', 'Cleo']

interface Counts { transactions: number; refused: number; lost: number; restarts: number; held: number }

class Writer {
  readonly name: string
  peer: TestPeer
  db: Database
  readonly #counts: Counts
  private constructor(name: string, peer: TestPeer, db: Database, counts: Counts) {
    this.name = name
    this.peer = peer
    this.db = db
    this.#counts = counts
    this.#listen()
  }

  static async of(name: string, peer: TestPeer, counts: Counts): Promise<Writer> {
    return new Writer(name, peer, await Database.open(peer.space), counts)
  }

  #listen(): void {
    this.db.onLost(() => { this.#counts.lost++ })
  }

  /** One transaction's texts; what fails must fail by a typed error that is no bug's. */
  async run(texts: readonly string[]): Promise<void> {
    this.#counts.transactions++
    for (const text of texts) {
      try {
        await this.db.queryRaw(text)
      } catch (error) {
        if (!isSealError(error) || error.family === 'bug' || error.family === 'hostile') throw new Error(`${this.name}: ${text}`, { cause: error })
        this.#counts.refused++
      }
    }
  }

  async restart(dial: Dial): Promise<void> {
    this.#counts.restarts++
    const { location, sync, space } = this.peer
    await this.db.close()
    await sync.stop()
    await space.close()
    const again = await openSpace(await location.open(), optionsOf(this.name))
    this.db = await Database.open(again)
    this.#listen()
    await this.db.exec('PRAGMA foreign_keys = ON')
    this.peer = { location, space: again, sync: startSync(again, dial, this.name) }
  }

  async close(): Promise<void> {
    await this.db.close()
    await this.peer.sync.stop()
    await this.peer.space.close()
  }
}

/** Everybody writes a share of `work`, some of them away from the relay; then all meet again. */
async function round(random: Random, writers: readonly Writer[], work: readonly (readonly string[])[], dial: Dial): Promise<void> {
  const away = writers.filter(() => random.chance(60))
  for (const { peer } of away) await peer.sync.stop()
  const shares = writers.map(() => [] as (readonly string[])[])
  for (const texts of work) random.pick(shares).push(texts)
  await Promise.all(writers.map(async (writer, i) => {
    for (const texts of shares[i] as readonly (readonly string[])[]) await writer.run(texts)
  }))
  for (const writer of away) {
    if (random.chance(25)) await writer.restart(dial)
    else writer.peer.sync.start()
  }
  const spaces = writers.map(({ peer }) => peer.space)
  await until(() => spaces.every((space) => space.outbox().length === 0 && space.head.size === spaces[0]?.head.size), 'all is in the log, and everybody there')
}

async function world(seed: number, counts: Counts): Promise<void> {
  const random = new Random(seed)
  const [script = [], ...transactions] = makeProgram(seed, 36)
  const relay = await testRelay()
  const ada = await founder(relay, `${NAMES[0] as string} ${seed}`)
  const writers = [await Writer.of(`${NAMES[0] as string} ${seed}`, ada, counts)]
  try {
    await writers[0]?.run(script.filter((text) => !text.startsWith('PRAGMA')))
    for (const name of NAMES.slice(1)) writers.push(await Writer.of(`${name} ${seed}`, await invited(relay, ada, `${name} ${seed}`), counts))
    for (const { db } of writers) await db.exec('PRAGMA foreign_keys = ON')
    while (transactions.length > 0) {
      await round(random, writers, transactions.splice(0, 6 + random.below(6)), relay.dial)
      const shown = await Promise.all(writers.map(({ db, peer: { space } }) => shownAlike({ db, space })))
      for (const each of shown.slice(1)) expect(each).toEqual(shown[0])
      for (const { db } of writers) {
        expect((await db.query('PRAGMA integrity_check')).rows).toEqual([{ integrity_check: 'ok' }])
        expect((await db.query('PRAGMA foreign_key_check')).rows).toEqual([])
      }
      counts.held += (await (writers[0] as Writer).db.query('SELECT * FROM sealdb_quarantine')).rows.length
    }
    for (const { peer: { space, location } } of writers) {
      const { size } = space.head
      await space.close()
      const { head, problems } = await audit(await location.open(), crypto)
      expect([head.size, problems]).toEqual([size, []])
    }
  } finally {
    for (const writer of writers) await writer.close()
  }
}

test('several members write random programs, at once and apart', { timeout: 3_600_000 }, async () => {
  const counts: Counts = { transactions: 0, refused: 0, lost: 0, restarts: 0, held: 0 }
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    try {
      await world(seed, counts)
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
  }
  console.info(`apart: seeds ${FIRST}…${FIRST + SEEDS - 1}, ${JSON.stringify(counts)}`)
  expect(counts.restarts).toBeGreaterThan(0)
})
