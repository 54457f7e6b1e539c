/**
 * Documents: what several people edit at once with a CRDT (Yjs, Automerge …), kept as the updates it makes, which the space does not understand. Updates are rows of
 * one table, so they are sealed, signed, ordered, replicated, forgotten and proved like any other; it is made when the first is written. An update is a row of its
 * own, under a key of chance: two never conflict. A snapshot takes the place of exactly the updates that its maker had merged: who writes meanwhile loses nothing.
 *
 * `at` is one more than the greatest of its document that its author saw, so ascending order is an order in which nothing comes before what it builds on.
 */
import { encodeHex, encodeUtf8 } from '../engine/codec/bytes.js'
import { SealError } from '../engine/errors.js'
import { MAX_DOCUMENT_NAME_LENGTH } from '../engine/limits.js'
import { CREATE_DOCUMENTS, DOCUMENTS } from './catalog-flaws.js'
import { type Database } from './database.js'
import { type Sql } from './sql-api.js'

const PARTS = `SELECT part, body FROM ${DOCUMENTS} WHERE document = ? ORDER BY at, part`
const EXISTS = `SELECT 1 AS found FROM sqlite_schema WHERE type = 'table' AND name = '${DOCUMENTS}'`
const INSERT = `INSERT INTO ${DOCUMENTS} (part, document, at, body) SELECT ?1, ?2, 1 + coalesce(max(at), 0), ?3 FROM ${DOCUMENTS} WHERE document = ?2`
const PART_LENGTH = 16

/** A document as `list` gives it. */
export interface DocumentInfo {
  readonly name: string
  /** Updates and snapshots that are kept: `compact` makes them one. */
  readonly parts: number
  /** Of all parts, in bytes. */
  readonly length: number
}

/** The documents of a space. */
export interface Documents {
  /**
   * A document, which need not be there yet. Throws `bad-argument` for a name that is empty or over 200 bytes.
   *
   * @example
   * const notes = space.documents.open('notes')
   * await notes.append(new Uint8Array([1, 2, 3]))
   */
  open(name: string): SealedDocument
  /** All that there are, by name. */
  list(): Promise<DocumentInfo[]>
  /** Its parts are gone, for everybody; updates that others write meanwhile stay. */
  delete(name: string): Promise<void>
}

/** One document. */
export interface SealedDocument {
  readonly name: string
  /** Every part, in an order in which none comes before what it builds on. */
  read(): Promise<Uint8Array[]>
  /**
   * Add an update; several together are one entry, all or nothing. Works offline. Resolves when it is durable here. Throws `rejected` if a policy or role does not
   * allow it; what the log refuses later, `onLost` of the database tells.
   */
  append(...updates: readonly Uint8Array[]): Promise<void>
  /**
   * Told of the parts that are there, then of those that others add (`parts` is never empty); not of what this object appends. A CRDT takes them in any order, and
   * twice: after somebody has compacted, what is merged comes as one. Returns what stops it.
   *
   * @example
   * const stop = space.documents.open('notes').subscribe((parts) => console.log(parts.length))
   */
  subscribe(listener: (parts: readonly Uint8Array[]) => void, onError?: (error: unknown) => void): () => void
  /**
   * Put one part in the place of those that are there: `merge` makes it of them (`Y.mergeUpdates`). False, and nothing done, if there are fewer than two. `merge` may be
   * called again, if others have written meanwhile.
   *
   * @example
   * await space.documents.open('notes').compact((parts) => parts[parts.length - 1] ?? new Uint8Array(0))
   */
  compact(merge: (parts: readonly Uint8Array[]) => Uint8Array): Promise<boolean>
}

type Connection = Pick<Database, 'query' | 'transaction' | 'live'>

/** `random` names parts. */
export function documentsOf(db: Connection, random: (length: number) => Uint8Array): Documents {
  return {
    open: (name) => new OpenDocument(db, random, checked(name)),
    list: async () => ((await exists(db)) ? (await db.query<DocumentInfo>(`SELECT document AS name, count(*) AS parts, sum(length(body)) AS length FROM ${DOCUMENTS} GROUP BY document ORDER BY document`)).rows : []),
    delete: async (name) => {
      if (await exists(db)) await db.query(`DELETE FROM ${DOCUMENTS} WHERE document = ?`, [checked(name)])
    },
  }
}

interface PartRow { readonly part: Uint8Array; readonly body: Uint8Array }

class OpenDocument implements SealedDocument {
  readonly name: string
  readonly #db: Connection
  readonly #random: (length: number) => Uint8Array
  /** Parts that this object has written. */
  readonly #own = new Set<string>()

  constructor(db: Connection, random: (length: number) => Uint8Array, name: string) {
    this.#db = db
    this.#random = random
    this.name = name
  }

  async read(): Promise<Uint8Array[]> {
    return (await exists(this.#db)) ? (await this.#parts(this.#db)).map(({ body }) => body) : []
  }

  async append(...updates: readonly Uint8Array[]): Promise<void> {
    if (updates.length === 0) return
    const rows = updates.map((body) => ({ part: this.#newPart(), body: bytesOf(body) }))
    await this.#db.transaction(async (tx) => {
      if (!(await exists(tx))) await tx.query(CREATE_DOCUMENTS)
      for (const { part, body } of rows) await tx.query(INSERT, [part, this.name, body])
    })
  }

  subscribe(listener: (parts: readonly Uint8Array[]) => void, onError?: (error: unknown) => void): () => void {
    let told = new Set<string>()
    const tell = (rows: readonly PartRow[]): void => {
      const now = new Map(rows.map(({ part, body }) => [encodeHex(part), body]))
      const fresh = [...now].filter(([part]) => !told.has(part) && !this.#own.has(part))
      // What is gone will not come again: keys are of chance.
      for (const part of told) if (!now.has(part)) this.#own.delete(part)
      told = new Set(now.keys())
      if (fresh.length > 0) listener(fresh.map(([, body]) => body))
    }
    let stop = this.#db.live(EXISTS).subscribe(({ rows }) => {
      if (rows.length === 0) return
      stop()
      stop = this.#db.live<PartRow>(PARTS, this.name).subscribe((found) => tell(found.rows), onError)
    }, onError)
    return () => stop()
  }

  async compact(merge: (parts: readonly Uint8Array[]) => Uint8Array): Promise<boolean> {
    if (!(await exists(this.#db))) return false
    const merged = this.#newPart()
    return this.#db.transaction(async (tx) => {
      const rows = await this.#parts(tx)
      if (rows.length < 2) return false
      const body = bytesOf(merge(rows.map((row) => row.body)))
      await tx.query(INSERT, [merged, this.name, body])
      for (const { part } of rows) await tx.query(`DELETE FROM ${DOCUMENTS} WHERE part = ?`, [part])
      return true
    })
  }

  async #parts(sql: Pick<Sql, 'query'>): Promise<PartRow[]> {
    return (await sql.query<PartRow>(PARTS, [this.name])).rows
  }

  #newPart(): Uint8Array {
    const part = this.#random(PART_LENGTH)
    this.#own.add(encodeHex(part))
    return part
  }
}

async function exists(sql: Pick<Sql, 'query'>): Promise<boolean> {
  return (await sql.query(EXISTS)).rows.length > 0
}

function checked(name: string): string {
  if (typeof name !== 'string' || name === '' || encodeUtf8(name).length > MAX_DOCUMENT_NAME_LENGTH) throw new SealError('bad-argument', `Expected the name of a document: text of 1 to ${MAX_DOCUMENT_NAME_LENGTH} bytes.`)
  return name
}

function bytesOf(update: Uint8Array): Uint8Array {
  if (!(update instanceof Uint8Array)) throw new SealError('bad-argument', 'Expected an update as bytes (Uint8Array).')
  return update
}
