/**
 * Relay store in PostgreSQL, or what speaks its protocol: any number of relay processes on one database. The order within a space is the
 * primary key (space, index): whoever inserts an index first has it, the others are told `taken`, follow and try again. LISTEN/NOTIFY tells
 * the other processes of new records; where a database has none, and as a safety net where it has, they look from time to time.
 *
 * `pg` is an optional peer dependency, loaded when this store is opened. Rows hold what clients sent: sealed, signed entries.
 */
import type { Client, Pool, PoolClient } from 'pg'
import { decodeHex, encodeHex } from '../../../engine/codec/bytes.js'
import { isSealError, SealError } from '../../../engine/errors.js'
import type { ChunkStore } from '../../../engine/store/chunks.js'
import type { StoredSnapshot } from '../../../engine/store/store.js'
import type { RelayLog, RelayStore } from '../store.js'
import { CHUNK_SCHEMA, postgresChunks } from './postgres-chunks.js'

export interface PostgresOptions {
  /** Connections of this process, besides the one that listens. Default 8. */
  readonly connections?: number
  /** Milliseconds between two looks for what no notification told of. Default 5,000; 500 where the database can't notify. */
  readonly pollEvery?: number
}

const CHANNEL = 'sealdb_records'
const SCHEMA = [
  'CREATE TABLE IF NOT EXISTS sealdb_record (space bytea NOT NULL, idx bigint NOT NULL, record bytea NOT NULL, PRIMARY KEY (space, idx))',
  'CREATE TABLE IF NOT EXISTS sealdb_image (space bytea NOT NULL, part integer NOT NULL, image bytea NOT NULL, bytes bytea NOT NULL, PRIMARY KEY (space, part))',
  CHUNK_SCHEMA,
  'CREATE TABLE IF NOT EXISTS sealdb_value (name text PRIMARY KEY, value bytea NOT NULL)',
]
/** One statement, so one transaction. A log never has a gap: the record before must be there. */
const INSERT = `INSERT INTO sealdb_record (space, idx, record)
  SELECT $1::bytea, $2::bigint + t.place - 1, t.record FROM unnest($3::bytea[]) WITH ORDINALITY AS t (record, place)
  WHERE $2::bigint = 0 OR EXISTS (SELECT 1 FROM sealdb_record WHERE space = $1::bytea AND idx = $2::bigint - 1)`
const INSERT_AND_NOTIFY = `WITH added AS (${INSERT} RETURNING 1), counted AS (SELECT count(*) AS n FROM added)
  SELECT n, CASE WHEN n > 0 THEN pg_notify('${CHANNEL}', $4) END FROM counted`
const READ = `SELECT record FROM
  (SELECT idx, record, sum(octet_length(record)) OVER (ORDER BY idx) AS bytes FROM sealdb_record WHERE space = $1 AND idx >= $2::bigint AND idx < $3::bigint) AS range
  WHERE bytes <= $4::bigint OR idx = $2::bigint ORDER BY idx`
const SIZE = 'SELECT coalesce(max(idx) + 1, 0) AS size FROM sealdb_record WHERE space = $1'
/** Part 0 is the meta; `image` says which parts belong together. */
const READ_PART = 'SELECT image, bytes FROM sealdb_image WHERE space = $1 AND part = $2'
/** unique_violation; and serialization_failure and deadlock_detected, which mean the same to us: nothing was stored, look and try again. */
const TAKEN = ['23505', '40001', '40P01']
/** Two processes making the schema at once: unique_violation, duplicate_table, duplicate_object. */
const ALREADY = ['23505', '42P07', '42710']

/**
 * Connects and makes the schema. Throws `store-failed` if the database can't be had, `provider-unavailable` without the package `pg`.
 *
 * @example
 * await startRelay({ store: await postgresRelayStore('postgres://relay@db.internal/relay') })
 */
export async function postgresRelayStore(url: string, options: PostgresOptions = {}): Promise<RelayStore> {
  const pg = await loadPg()
  const pool = new pg.Pool({ connectionString: url, max: options.connections ?? 8 })
  pool.on('error', () => undefined) // an idle connection that ended: the pool makes another
  try {
    for (const statement of SCHEMA) await createOnce(pool, statement)
  } catch (error) {
    await pool.end()
    throw failed('connecting', error)
  }
  const store = new PostgresStore(pool, () => new pg.Client({ connectionString: url }), encodeHex(crypto.getRandomValues(new Uint8Array(8))))
  await store.listen(options.pollEvery)
  return store
}

class PostgresStore implements RelayStore {
  readonly #pool: Pool
  readonly #newClient: () => Client
  /** Of this process: it need not be told of its own records. */
  readonly #sender: string
  readonly #logs = new Map<string, Set<PostgresLog>>()
  #listener: Client | undefined
  #poll: ReturnType<typeof setInterval> | undefined
  #notifies = true
  #closed = false

  constructor(pool: Pool, newClient: () => Client, sender: string) {
    this.#pool = pool
    this.#newClient = newClient
    this.#sender = sender
  }

  async listen(pollEvery: number | undefined): Promise<void> {
    await this.#subscribe().catch((error: unknown) => {
      // feature_not_supported, undefined_function, syntax_error: a relative of PostgreSQL without LISTEN (CockroachDB).
      if (!['0A000', '42883', '42601'].includes(codeOf(error) ?? '')) throw failed('listening', error)
      this.#notifies = false
    })
    this.#poll = setInterval(() => this.#lookEverywhere(), pollEvery ?? (this.#notifies ? 5_000 : 500))
    this.#poll.unref()
  }

  async spaces(): Promise<readonly Uint8Array[]> {
    const { rows } = await this.query<{ space: Buffer }>('reading', 'SELECT space FROM sealdb_record WHERE idx = 0', [])
    return rows.map(({ space }) => new Uint8Array(space))
  }

  async found(space: Uint8Array, genesis: Uint8Array): Promise<void> {
    await this.query('storing', 'INSERT INTO sealdb_record (space, idx, record) VALUES ($1, 0, $2) ON CONFLICT DO NOTHING', [buffer(space), buffer(genesis)])
  }

  async open(space: Uint8Array): Promise<RelayLog | undefined> {
    const name = encodeHex(space)
    const log = new PostgresLog(this, name, () => {
      const rest = this.#logs.get(name)
      rest?.delete(log)
      if (rest?.size === 0) this.#logs.delete(name)
    })
    // Listening comes before looking, so nothing falls between.
    this.#logs.set(name, (this.#logs.get(name) ?? new Set()).add(log))
    if ((await log.refresh()) > 0) return log
    await log.close()
    return undefined
  }

  async setOnce(name: string, value: Uint8Array): Promise<Uint8Array> {
    await this.query('storing', 'INSERT INTO sealdb_value (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING', [name, buffer(value)])
    return (await this.get(name)) ?? value
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    const { rows } = await this.query<{ value: Buffer }>('reading', 'SELECT value FROM sealdb_value WHERE name = $1', [name])
    return rows[0] && new Uint8Array(rows[0].value)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#poll)
    await this.#listener?.end().catch(() => undefined) // its connection may be gone already
    await this.#pool.end()
  }

  async insert(space: string, at: number, records: readonly Uint8Array[]): Promise<'stored' | 'taken'> {
    const values = [Buffer.from(space, 'hex'), at, records.map(buffer)]
    try {
      const stored = this.#notifies
        ? Number((await this.#pool.query<{ n: string }>(INSERT_AND_NOTIFY, [...values, `${this.#sender} ${space}`])).rows[0]?.n)
        : (await this.#pool.query(INSERT, values)).rowCount
      if (stored === records.length) return 'stored'
    } catch (error) {
      if (TAKEN.includes(codeOf(error) ?? '')) return 'taken'
      throw failed('storing', error)
    }
    throw new SealError('store-corrupt', `The database has no record ${at - 1} of a space that had it; was it restored from a backup? Restart the relays.`, { at })
  }

  /** On one connection, from BEGIN to COMMIT; on an error nothing has happened. */
  async transaction<T>(doing: string, begin: string, work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect().catch((error: unknown) => { throw failed(doing, error) })
    let broken = false
    try {
      await client.query(begin)
      const result = await work(client)
      await client.query('COMMIT')
      return result
    } catch (error) {
      await client.query('ROLLBACK').catch(() => (broken = true)) // the connection is gone, and with it the transaction
      throw isSealError(error) ? error : failed(doing, error)
    } finally {
      client.release(broken)
    }
  }

  async query<R extends object>(doing: string, text: string, values: readonly unknown[]): Promise<{ readonly rows: readonly R[] }> {
    try {
      return await this.#pool.query<R>(text, [...values])
    } catch (error) {
      throw failed(doing, error)
    }
  }

  async #subscribe(): Promise<void> {
    const client = this.#newClient()
    client.on('error', () => undefined) // 'end' follows
    client.on('notification', ({ payload }) => {
      const [sender, space] = (payload ?? '').split(' ')
      if (sender === this.#sender || space === undefined) return
      for (const log of this.#logs.get(space) ?? []) log.onGrowth()
    })
    await client.connect()
    await client.query(`LISTEN ${CHANNEL}`)
    this.#listener = client
    client.on('end', () => this.#resubscribe())
  }

  /** Until it works; meanwhile the polling finds what is new. */
  #resubscribe(): void {
    if (this.#closed) return
    setTimeout(() => {
      if (this.#closed) return
      this.#subscribe().then(() => this.#lookEverywhere(), () => this.#resubscribe())
    }, 1_000).unref()
  }

  #lookEverywhere(): void {
    for (const logs of this.#logs.values()) for (const log of logs) log.onGrowth()
  }
}

class PostgresLog implements RelayLog {
  onGrowth: () => void = () => undefined
  readonly chunks: ChunkStore
  readonly #store: PostgresStore
  readonly #space: string
  readonly #closed: () => void

  constructor(store: PostgresStore, space: string, closed: () => void) {
    this.#store = store
    this.#space = space
    this.#closed = closed
    this.chunks = postgresChunks((doing, text, values) => store.query(doing, text, values), decodeHex(space))
  }

  append(at: number, records: readonly Uint8Array[]): Promise<'stored' | 'taken'> {
    return records.length === 0 ? Promise.resolve('stored') : this.#store.insert(this.#space, at, records)
  }

  async read(from: number, limit: number, maxBytes: number): Promise<readonly Uint8Array[]> {
    const bytes = Math.min(maxBytes, Number.MAX_SAFE_INTEGER)
    const { rows } = await this.#store.query<{ record: Buffer }>('reading', READ, [this.#id(), from, from + limit, bytes])
    return rows.map(({ record }) => new Uint8Array(record))
  }

  async refresh(): Promise<number> {
    const { rows } = await this.#store.query<{ size: string }>('reading', SIZE, [this.#id()])
    return Number(rows[0]?.size)
  }

  async writeSnapshot(meta: Uint8Array, chunks: Iterable<Uint8Array>): Promise<void> {
    const image = buffer(crypto.getRandomValues(new Uint8Array(16)))
    await this.#store.transaction('writing an image', 'BEGIN', async (client) => {
      await client.query('DELETE FROM sealdb_image WHERE space = $1', [this.#id()])
      let part = 0
      for (const bytes of before(meta, chunks)) await client.query('INSERT INTO sealdb_image (space, part, image, bytes) VALUES ($1, $2, $3, $4)', [this.#id(), part++, image, buffer(bytes)])
    })
  }

  async readSnapshot(): Promise<StoredSnapshot | undefined> {
    const { rows: [meta] } = await this.#store.query<{ image: Buffer; bytes: Buffer }>('reading', READ_PART, [this.#id(), 0])
    return meta && { meta: new Uint8Array(meta.bytes), chunks: this.#chunks(meta.image) }
  }

  async *#chunks(image: Buffer): AsyncGenerator<Uint8Array> {
    for (let part = 1; ; part++) {
      const { rows: [row] } = await this.#store.query<{ image: Buffer; bytes: Buffer }>('reading', READ_PART, [this.#id(), part])
      if (row === undefined) return
      if (!row.image.equals(image)) throw new SealError('bad-argument', 'Another image replaced this one before its chunks were read.')
      yield new Uint8Array(row.bytes)
    }
  }

  close(): Promise<void> {
    this.#closed()
    return Promise.resolve()
  }

  #id(): Uint8Array {
    return buffer(decodeHex(this.#space))
  }
}

async function loadPg(): Promise<{ readonly Pool: typeof Pool; readonly Client: typeof Client }> {
  try {
    return await import('pg')
  } catch (error) {
    throw new SealError('provider-unavailable', 'The PostgreSQL store needs the package pg. Install it beside sealdb: npm install pg', { package: 'pg' }, { cause: error })
  }
}

async function createOnce(pool: Pool, statement: string): Promise<void> {
  try {
    await pool.query(statement)
  } catch (error) {
    if (!ALREADY.includes(codeOf(error) ?? '')) throw error
  }
}

/** `pg` writes Buffers as bytea; a view, not a copy. */
function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** The database's own message may quote values: it stays in `cause`. */
function failed(doing: string, error: unknown): SealError {
  return new SealError('store-failed', `The PostgreSQL store failed while ${doing} (${codeOf(error) ?? 'no code'}).`, { doing, code: codeOf(error), outcome: 'unknown' }, { cause: error })
}

function* before(first: Uint8Array, rest: Iterable<Uint8Array>): Iterable<Uint8Array> {
  yield first
  yield* rest
}
