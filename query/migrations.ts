/**
 * Migrations: numbered changes of a space's schema and rows, each a transaction that happens once for everybody. That it has happened is noted in the
 * same entry, sealed in the catalog, as an object of kind `other` whose name only one can take: whoever comes second is refused by the log, executes
 * again, and finds it done.
 *
 *   sealed := 0x01 version:varint name:text content:32 bytes         name in the catalog: "migration:" version
 *
 * `content` tells one migration from another of the same number: SHA-256 of "sql", NUL and the text, or of "run", NUL and the function's name.
 */
import { expectFunction, expectList } from '../engine/arguments.js'
import { encodeHex, encodeUtf8, equalBytes } from '../engine/codec/bytes.js'
import { decodeCanonical, encodeCanonical } from '../engine/codec/canonical.js'
import { isSealError, SealError } from '../engine/errors.js'
import { MAX_NAME_LENGTH } from '../engine/limits.js'
import { loadProvider } from '../engine/crypto/load.js'
import { type CatalogChange, type CatalogObject, type ObjectId, type View } from '../engine/space/types.js'
import { nameOfObject } from './catalog.js'
import { type Sql } from './sql-api.js'
import { type Replayed } from './replay.js'
import { type Write } from './rerun.js'

/** A numbered change of the schema. */
export interface Migration {
  /** A whole number from 1; ascending in the list. Numbers may be left out. */
  readonly version: number
  /** For people, and what tells one function from another: required of a function. */
  readonly name?: string
  /** A script, or what runs statements on the transaction it is given. It may run twice, so it does nothing else. */
  readonly up: string | ((tx: Sql) => Promise<void>)
}

/** What a call of `migrate` found and did. */
export interface Migrated {
  /** The greatest version that is done. 0 if there is none. */
  readonly version: number
  /** What this call did, in order; `write` says how far its entry has come. */
  readonly applied: readonly { readonly version: number; readonly name: string; readonly write: Write | undefined }[]
}

/** A migration as the catalog notes it. */
export interface MigrationNote {
  readonly version: number
  readonly name: string
  readonly content: Uint8Array
}

const FORMAT = 1
/** Stands first among the statements kept for replay, with the note as parameters. */
const REPLAYED = '-- sealdb migration'

/** The notes for a list of migrations. Throws `bad-argument` for a list that is none. */
export async function notesOf(migrations: readonly Migration[]): Promise<MigrationNote[]> {
  expectList(migrations, 'a list of migrations')
  const crypto = await loadProvider()
  let last = 0
  return migrations.map(({ version, name = '', up }) => {
    if (!Number.isSafeInteger(version) || version <= last || version > 2 ** 47) throw new SealError('bad-argument', 'Expected versions of migrations to be whole numbers from 1, ascending.', { version })
    last = version
    if (typeof up !== 'string') expectFunction(up, `what migration ${version} does, \`up\`, as a text or function`)
    if (typeof up === 'function' && name === '') throw new SealError('bad-argument', 'Expected a name: it tells one function from another.', { version })
    if (encodeUtf8(name).length > MAX_NAME_LENGTH) throw new SealError('bad-argument', `Expected a name of at most ${MAX_NAME_LENGTH} bytes.`, { version })
    return { version, name, content: crypto.sha256(encodeUtf8(typeof up === 'string' ? `sql\0${up}` : `run\0${name}`)) }
  })
}

/**
 * Those that were done, in the order of their versions. What a member sealed there and is none is left out, and what stands under another name: a second note of
 * a version would be a conflict for every program that starts.
 */
export function readMigrations(view: Pick<View, 'catalog' | 'isNamed'>): (MigrationNote & { readonly id: ObjectId })[] {
  const notes = view.catalog.flatMap(({ id, kind, sealed }) => {
    const note = kind === 'other' && sealed.length > 0 ? decodeNote(sealed) : undefined
    return note !== undefined && view.isNamed(id, nameOfNote(note)) ? [{ ...note, id }] : []
  })
  return notes.sort((a, b) => a.version - b.version)
}

/** False if it is to be done. Throws `migration-conflict` if another one was done in its place, or a later one before it. */
export function isDone(view: Pick<View, 'catalog' | 'isNamed'>, note: MigrationNote): boolean {
  const done = readMigrations(view)
  const same = done.filter(({ version }) => version === note.version)
  const [found] = same
  if (found !== undefined) {
    if (same.every(({ content }) => equalBytes(content, note.content))) return true
    throw new SealError('migration-conflict', `Migration ${note.version} was done with another content.`, { version: note.version, done: encodeHex(found.content), wanted: encodeHex(note.content) })
  }
  const last = done.at(-1)?.version ?? 0
  if (last > note.version) throw new SealError('migration-conflict', `Migration ${note.version} was not done before ${last}, which was.`, { version: note.version, last })
  return false
}

export function noteChange(id: ObjectId, note: MigrationNote): CatalogChange {
  return { kind: 'create', object: { id, kind: 'other', sealed: encodeNote(note) }, name: nameOfNote(note) }
}

const nameOfNote = ({ version }: Pick<MigrationNote, 'version'>): string => `migration:${version}`

/** The name that an object of the catalog was created under, or one of its own if it isn't what it says. What re-blinding needs. */
export function nameOfCatalogObject(object: CatalogObject): string {
  const own = `object:${object.id}`
  if (object.kind === 'other') {
    const note = decodeNote(object.sealed)
    return note === undefined ? own : nameOfNote(note)
  }
  return nameOfObject(object) ?? own
}

export function toReplayed({ version, name, content }: MigrationNote): Replayed {
  return { text: REPLAYED, parameters: [version, name, content] }
}

/** Undefined if the statement is an ordinary one. */
export function fromReplayed({ text, parameters }: Replayed): MigrationNote | undefined {
  if (text !== REPLAYED || !Array.isArray(parameters)) return undefined
  const [version, name, content] = parameters as readonly unknown[]
  if (typeof name !== 'string' || !(content instanceof Uint8Array)) throw new SealError('bad-encoding', 'Expected a migration among the statements to replay.')
  return { version: Number(version), name, content }
}

function encodeNote(note: MigrationNote): Uint8Array {
  return encodeCanonical(note, (w, { version, name, content }) => { w.u8(FORMAT).varint(version).text(name, MAX_NAME_LENGTH).fixed(content, 32) })
}

function decodeNote(sealed: Uint8Array): MigrationNote | undefined {
  try {
    return decodeCanonical(sealed, (r) => {
      if (r.u8() !== FORMAT) throw r.bad('Expected version 1 of a migration')
      return { version: r.varint(), name: r.text(MAX_NAME_LENGTH), content: r.fixed(32).slice() }
    })
  } catch (error) {
    if (isSealError(error) && error.family === 'hostile') return undefined
    throw error
  }
}
