/**
 * What SQL can see of the space itself, as tables of a schema beside `main`: members, devices, policies, columns, quarantine, the log, and histories of tables.
 * They are filled when a statement that reads them is about to run. The log and histories walk the verified states, each entry once.
 */
import { encodeHex } from '../engine/codec/bytes.js'
import { type SqlValue } from '../engine/codec/value.js'
import { equalBytes } from '../engine/codec/bytes.js'
import { type SpaceReader } from '../engine/space/port.js'
import { type ObjectId, type RowView, type UnopenedRow, type View } from '../engine/space/types.js'
import { isTable, type Schema, type SchemaObject } from './catalog.js'
import { keyIdentity } from './keys.js'
import { type Mirror } from './materialise.js'
import { objectRows } from './objects.js'
import { readMigrations } from './migrations.js'
import { describePolicy } from './policy-text.js'
import { relationForm } from './relation-form.js'
import { historyTable, RELATION_SCHEMA } from './rewrite.js'
import { quoteName } from './sqlite/names.js'

const SHAPES: Readonly<Record<string, string>> = {
  sealdb_members: 'id INTEGER PRIMARY KEY, name TEXT, role TEXT, removed INTEGER, admitted_at INTEGER',
  sealdb_devices: 'id INTEGER PRIMARY KEY, member INTEGER, name TEXT, removed INTEGER, admitted_at INTEGER, last_entry INTEGER',
  sealdb_policies: '"table" TEXT, name TEXT, command TEXT, roles TEXT, "using" TEXT, "check" TEXT, sql TEXT',
  sealdb_quarantine: '"table" TEXT, entry INTEGER, reason TEXT, key TEXT',
  sealdb_files: 'id TEXT PRIMARY KEY, name TEXT, type TEXT, length INTEGER, author INTEGER, version INTEGER, local INTEGER',
  sealdb_migrations: 'version INTEGER PRIMARY KEY, name TEXT, content TEXT',
  sealdb_columns: '"table" TEXT, name TEXT, visibility TEXT',
  sealdb_objects: 'id INTEGER PRIMARY KEY, kind TEXT, name TEXT, "table" TEXT, creator INTEGER, device INTEGER, entry INTEGER, reason TEXT',
  sealdb_log: 'entry INTEGER PRIMARY KEY, member INTEGER, device INTEGER, changes INTEGER, quarantined INTEGER',
}

/** `whole`: ids of files whose content is on this device. */
function fileRows(view: View, whole: ReadonlySet<string>): (readonly SqlValue[])[] {
  return view.files().map(({ id, name, type, length, creator, version }) => {
    const hex = encodeHex(id)
    return [hex, name ?? null, type ?? null, BigInt(length), BigInt(creator), BigInt(version), BigInt(whole.has(hex))]
  })
}

interface LogLine { readonly entry: number; readonly member: number | undefined; readonly device: number | undefined; readonly tables: ReadonlyMap<ObjectId, number> }
interface Version { readonly entry: number; readonly operation: string; readonly member: number | undefined; readonly device: number | undefined; readonly row: RowView | UnopenedRow }

export class Relations {
  readonly #space: SpaceReader
  readonly #mirror: Mirror
  #attached = false
  readonly #log: LogLine[] = []
  readonly #histories = new Map<ObjectId, { upTo: number; readonly versions: Version[] }>()

  constructor(space: SpaceReader, mirror: Mirror) {
    this.#space = space
    this.#mirror = mirror
  }

  /** Make them say what `view` and `schema` do. Waits only for the log and histories; those are of the verified log. */
  async provide(names: readonly string[], histories: readonly ObjectId[], view: View, schema: Schema): Promise<void> {
    const { db } = this.#mirror
    if (!this.#attached) db.exec(`ATTACH ':memory:' AS ${RELATION_SCHEMA}`)
    this.#attached = true
    if (names.includes('sealdb_log')) await this.#walk(this.#log.length, undefined)
    for (const table of histories) await this.#walk(this.#histories.get(table)?.upTo ?? 0, table)
    const whole = names.includes('sealdb_files') ? await this.#space.wholeFiles(view) : new Set<string>()
    for (const name of names) this.#fill(name, SHAPES[name] ?? '', name === 'sealdb_files' ? fileRows(view, whole) : this.#rows(name, view, schema))
    for (const table of histories) {
      const object = schema.get(table)
      if (object !== undefined) this.#fill(historyTable(table), historyShape(object), this.#history(object))
    }
  }

  #fill(name: string, shape: string, rows: readonly (readonly SqlValue[])[]): void {
    const { db } = this.#mirror
    const table = `${RELATION_SCHEMA}.${quoteName(name)}`
    db.exec(`DROP TABLE IF EXISTS ${table}; CREATE TABLE ${table} (${shape})`)
    const [first] = rows
    if (first === undefined) return
    const insert = db.prepare(`INSERT INTO ${table} VALUES (${first.map(() => '?').join(', ')})`)
    for (const row of rows) insert.run(row)
    insert.finalize()
  }

  #rows(name: string, view: View, schema: Schema): (readonly SqlValue[])[] {
    switch (name) {
      case 'sealdb_members':
        return view.members().map((m) => [BigInt(m.id), m.name ?? null, m.role, BigInt(m.removed), BigInt(m.admittedAt)])
      case 'sealdb_devices':
        return view.devices().map((d) => [BigInt(d.id), BigInt(d.member), d.name ?? null, BigInt(d.removed), BigInt(d.admittedAt), BigInt(d.lastIndex)])
      case 'sealdb_policies':
        return this.#policies(schema)
      case 'sealdb_quarantine':
        return this.#mirror.quarantined().map(({ table, version, reason, key, rowKey }) => [schema.get(table)?.name ?? null, BigInt(version), reason, key === undefined ? encodeHex(rowKey ?? new Uint8Array(0)) : key.map(String).join(', ')])
      case 'sealdb_migrations':
        return readMigrations(view).map(({ version, name: called, content }) => [BigInt(version), called, encodeHex(content)])
      case 'sealdb_columns':
        return [...schema.values()].flatMap(({ name, data }) => (data?.columns ?? []).map((column) => [name, column.name, column.visibility]))
      case 'sealdb_objects':
        return objectRows(view, schema, this.#mirror.broken)
      default:
        return this.#logRows()
    }
  }

  #policies(schema: Schema): (readonly SqlValue[])[] {
    const formOf = (object: SchemaObject | undefined): ReturnType<typeof relationForm> | undefined => (object !== undefined && isTable(object) ? relationForm(object, this.#mirror.binding(object).form) : undefined)
    return [...schema.values()].flatMap((object) => {
      const table = formOf(object)
      if (table === undefined) return []
      return (object.data?.shape.policies ?? []).map((policy) => {
        const { name, command, roles, using, check, sql } = describePolicy(policy, table, (id) => formOf(schema.get(id)))
        return [object.name, name, command, roles, using, check, sql]
      })
    })
  }

  #logRows(): (readonly SqlValue[])[] {
    const quarantined = new Map<number, number>()
    for (const { version } of this.#mirror.quarantined()) quarantined.set(version, (quarantined.get(version) ?? 0) + 1)
    return this.#log.map(({ entry, member, device, tables }) => [
      BigInt(entry), member === undefined ? null : BigInt(member), device === undefined ? null : BigInt(device),
      BigInt([...tables.values()].reduce((sum, n) => sum + n, 0)), BigInt(quarantined.get(entry) ?? 0),
    ])
  }

  #history(object: SchemaObject): (readonly SqlValue[])[] {
    if (!isTable(object)) return []
    const binding = this.#mirror.binding(object)
    return (this.#histories.get(object.id)?.versions ?? []).map(({ entry, operation, member, device, row }) => {
      const opened = 'reason' in row ? row.reason : binding.tryOpen(row)
      const values = typeof opened === 'string' ? binding.data.columns.map(() => null) : opened.values
      return [BigInt(entry), operation, member === undefined ? null : BigInt(member), device === undefined ? null : BigInt(device), ...values]
    })
  }

  /** Every state from `from` entries on, beside the one before it. */
  async #walk(from: number, table: ObjectId | undefined): Promise<void> {
    const { size } = this.#space.verified.head
    let before = from === 0 ? undefined : await this.#space.at(from)
    for (let at = from + 1; at <= size; at++) {
      const view = await this.#space.at(at)
      const author = view.devices().find(({ lastIndex }) => lastIndex === at - 1)
      const keyOf = (id: ObjectId) => this.#keyOf(id)
      const changed = tablesOf(view).filter((id) => (table === undefined || id === table) && differs(before, view, id))
      if (table === undefined) this.#log.push({ entry: at - 1, member: author?.member, device: author?.id, tables: new Map(changed.map((id) => [id, countChanges(before, view, id, keyOf(id))])) })
      else this.#remember(table, at, changed.length > 0 ? [...versionsOf(before, view, table, at - 1, author, keyOf(table))] : [])
      before?.release()
      before = view
    }
    before?.release()
  }

  /** Of a table as it is now; what does not open has no key. */
  #keyOf(table: ObjectId): KeyOf {
    const object = this.#mirror.schema.get(table)
    const binding = object && isTable(object) ? this.#mirror.binding(object) : undefined
    return (row) => {
      const opened = binding === undefined || 'reason' in row ? undefined : binding.tryOpen(row)
      return opened === undefined || typeof opened === 'string' ? undefined : keyIdentity(opened.key)
    }
  }

  #remember(table: ObjectId, upTo: number, versions: readonly Version[]): void {
    const history = this.#histories.get(table) ?? { upTo: 0, versions: [] }
    history.upTo = upTo
    history.versions.push(...versions)
    this.#histories.set(table, history)
  }
}

function historyShape({ data }: SchemaObject): string {
  return ['_entry INTEGER', '_operation TEXT', '_member INTEGER', '_device INTEGER', ...(data?.columns ?? []).map(({ name }) => quoteName(name))].join(', ')
}

const tablesOf = (view: View): ObjectId[] => view.catalog.filter(({ kind }) => kind === 'table').map(({ id }) => id)
const knows = (view: View | undefined, table: ObjectId): view is View => view !== undefined && view.catalog.some(({ id }) => id === table)

function differs(before: View | undefined, view: View, table: ObjectId): boolean {
  return !knows(before, table) ? view.count(table) > 0 : !equalBytes(before.tableTag(table), view.tableTag(table))
}

function countChanges(before: View | undefined, view: View, table: ObjectId, keyOf: KeyOf): number {
  return knows(before, table) ? changesOf(before, view, table, keyOf).length : view.count(table)
}

type KeyOf = (row: RowView | UnopenedRow) => string | number | undefined

interface Change { readonly before: RowView | UnopenedRow | undefined; readonly row: RowView | UnopenedRow | undefined }

/**
 * Two views of the past may not share what makes a difference cheap: then all rows are compared. A row that lies elsewhere with the same key, as after a
 * re-blinding, is the same row.
 */
function changesOf(before: View, view: View, table: ObjectId, keyOf: KeyOf): Change[] {
  const old = new Map([...before.rows(table)].map((row) => [encodeHex(row.rowKey), row]))
  const changes: Change[] = []
  const come: (RowView | UnopenedRow)[] = []
  for (const row of view.rows(table)) {
    const was = old.get(encodeHex(row.rowKey))
    old.delete(encodeHex(row.rowKey))
    if (was === undefined) come.push(row)
    else if (was.version !== row.version) changes.push({ before: was, row })
  }
  const gone = come.length === 0 ? new Map() : new Map([...old].flatMap(([place, row]) => { const key = keyOf(row); return key === undefined ? [] : [[key, place] as const] }))
  for (const row of come) {
    const place = gone.size === 0 ? undefined : gone.get(keyOf(row))
    changes.push({ before: place === undefined ? undefined : old.get(place), row })
    if (place !== undefined) old.delete(place)
  }
  for (const was of old.values()) changes.push({ before: was, row: undefined })
  return changes
}

function* versionsOf(before: View | undefined, view: View, table: ObjectId, entry: number, author: { readonly id: number; readonly member: number } | undefined, keyOf: KeyOf): IterableIterator<Version> {
  const changes = knows(before, table) ? changesOf(before, view, table, keyOf) : [...view.rows(table)].map((row): Change => ({ before: undefined, row }))
  for (const { before: was, row } of changes) {
    const shown = row ?? was
    if (shown !== undefined) yield { entry, operation: row === undefined ? 'delete' : was === undefined ? 'insert' : 'update', member: author?.member, device: author?.id, row: shown }
  }
}

