/**
 * One immutable state of a space, opened with this device's secrets: what query reads (`View` of types.ts). Everything is read lazily from
 * the state tree's version that the view holds on to; `release` lets it go.
 */
import { EMPTY_BYTES, equalBytes } from '../codec/bytes.js'
import { listDevices, listMembers, metaOf } from '../group/roster.js'
import type { Keyring } from '../group/keyring.js'
import { openName } from '../group/profiles.js'
import type { ApplyEnv, StateReader } from '../state/context.js'
import { decodePointer } from '../state/roster.js'
import { objectKey, pointerKey, prefixEnd, rowPrefix, rowStateKey } from '../state/keys.js'
import type { Recorded } from '../state/record.js'
import type { StateTree } from '../state/tree.js'
import { isSealError, SealError } from '../errors.js'
import { olderGeneration } from './blinded.js'
import { decodeObjectOf, type ObjectRecord, storedObjects } from './catalog.js'
import { storedFiles } from './file-record.js'
import type { HeldState } from './follower.js'
import { catalogTag, countRows, freedRow, readCatalog, readRow, readRows, readTable, rowReaders, rowKeyOf, tableTag, type UnopenedObject } from './rows.js'
import { viewFile } from './seal-file.js'
import { RowSealer } from './seal-row.js'
import type { CatalogObject, DeviceView, FileView, Head, MemberView, ObjectId, ObjectView, RowRange, RowView, UnopenedRow, View } from './types.js'

export interface ViewParts {
  readonly env: ApplyEnv
  readonly states: StateTree
  /** The view's own claim. */
  readonly held: HeldState
  readonly head: Head
  readonly pending: number
  readonly keyring: Keyring
}

export class SpaceView implements View {
  readonly head: Head
  readonly pending: number
  readonly held: HeldState
  readonly #parts: ViewParts
  readonly #sealer: RowSealer
  #catalog: { readonly objects: readonly CatalogObject[]; readonly unopened: readonly UnopenedObject[]; readonly learned: number } | undefined
  #catalogTag: Uint8Array | undefined
  readonly #tableTags = new Map<ObjectId, Uint8Array>()
  /** Decoded once: a transaction reads its rows one by one. */
  readonly #tables = new Map<ObjectId, ObjectRecord>()
  #claims = 1

  constructor(parts: ViewParts) {
    this.#parts = parts
    this.held = parts.held
    this.head = parts.head
    this.pending = parts.pending
    this.#sealer = new RowSealer(parts.env, parts.keyring)
  }

  get catalog(): readonly CatalogObject[] {
    return this.#readCatalog().objects
  }
  objects(): readonly ObjectView[] {
    const unopened = new Map(this.#readCatalog().unopened.map(({ id, reason }) => [id, reason]))
    return [...storedObjects(this.held.tree)].map(({ id, value }) => {
      const { parent, creator, device, version } = decodeObjectOf(id, value)
      return { id, parent, creator, device, version, reason: unopened.get(id) }
    })
  }
  isNamed(object: ObjectId, name: string): boolean {
    const bytes = this.held.tree.get(objectKey(object))
    if (bytes === undefined) return false
    const { generation, nameToken } = decodeObjectOf(object, bytes)
    try {
      return equalBytes(this.#sealer.nameToken(generation, name), nameToken)
    } catch (error) {
      if (isSealError(error, 'no-secret')) return true
      throw error
    }
  }
  get nextObject(): ObjectId {
    return metaOf(this.held.tree).nextObject
  }
  get learned(): number {
    return this.#parts.keyring.learned
  }
  get catalogTag(): Uint8Array {
    return (this.#catalogTag ??= catalogTag(this.held.tree))
  }

  tableTag(table: ObjectId): Uint8Array {
    let tag = this.#tableTags.get(table)
    if (!tag) {
      tag = tableTag(this.held.tree, table)
      this.#tableTags.set(table, tag)
    }
    return tag
  }

  count(table: ObjectId): number {
    return countRows(this.held.tree, table)
  }

  rows(table: ObjectId, range?: RowRange): IterableIterator<RowView | UnopenedRow> {
    return readRows(this.held.tree, this.#sealer, table, range, (id) => this.#table(id))
  }

  readers(table: ObjectId, range: RowRange): readonly (() => unknown)[] {
    return rowReaders(this.held.tree, this.#sealer, table, range)
  }

  *changes(older: View, table: ObjectId): IterableIterator<{ readonly rowKey: Uint8Array; readonly row?: RowView | UnopenedRow; readonly before?: RowView | UnopenedRow }> {
    if (!(older instanceof SpaceView) || older.#parts.states !== this.#parts.states) {
      throw new SealError('bad-argument', 'Expected a view of the same open space.')
    }
    const lo = rowPrefix(table)
    const hi = prefixEnd(lo)
    // Else no row was kept out for another, and none can be free now.
    const wasReblinding = olderGeneration(older.held.tree, older.#table(table)) !== undefined
    const versions = [older.held.tree.state.version, this.held.tree.state.version] as const
    for (const change of this.#parts.states.diff(...versions, { lo, ...(hi && { hi }) })) {
      const rowKey = rowKeyOf(change.key)
      const row = change.after === undefined ? undefined : readRow(this.held.tree, this.#sealer, table, rowKey, this.#table(table))
      const before = row === undefined || 'reason' in row ? readRow(older.held.tree, older.#sealer, table, rowKey, older.#table(table)) : undefined
      yield { rowKey, ...(row && { row }), ...(before && { before }) }
      if (!wasReblinding || change.before === undefined || change.after !== undefined) continue
      const freed = freedRow(this.held.tree, this.#sealer, table, older.#table(table), this.#table(table), change.key, change.before)
      const kept = freed && older.held.tree.get(rowStateKey(table, freed))
      if (kept && equalBytes(kept, this.held.tree.get(rowStateKey(table, freed)) ?? EMPTY_BYTES)) yield { rowKey: freed, row: readRow(this.held.tree, this.#sealer, table, freed, this.#table(table)) as RowView | UnopenedRow }
    }
  }

  files(): readonly FileView[] {
    const { env, keyring } = this.#parts
    return Array.from(storedFiles(this.held.tree), (file) => viewFile(env, keyring, file))
  }

  members(): readonly MemberView[] {
    return listMembers(this.held.tree).map(({ id, role, removedAt, admittedAt }) => ({
      id, role, admittedAt, removed: removedAt !== undefined, name: this.#name('member', id),
    }))
  }

  devices(): readonly DeviceView[] {
    return listDevices(this.held.tree).map(({ id, member, removedAt, admittedAt }) => {
      const pointer = this.held.tree.get(pointerKey(id))
      const lastIndex = pointer === undefined ? admittedAt : decodePointer(pointer).index
      return { id, member, admittedAt, lastIndex, removed: removedAt !== undefined, name: this.#name('device', id) }
    })
  }

  /** Run reads over the state and keep a proof of what they opened. For receipts. */
  record<T>(program: (state: Pick<StateReader, 'get'>) => T): Recorded<T> {
    return this.#parts.states.record(this.held.tree.state.version, program)
  }

  retain(): View {
    if (this.#claims === 0) throw new SealError('released', 'This view was released.')
    this.#claims++
    return this
  }

  release(): void {
    if (this.#claims === 0) throw new SealError('released', 'This view was released already.')
    this.#claims--
    if (this.#claims === 0) this.held.tree.release()
  }

  #table(table: ObjectId): ObjectRecord {
    let record = this.#tables.get(table)
    if (!record) this.#tables.set(table, (record = readTable(this.held.tree, table)))
    return record
  }

  #name(subject: 'member' | 'device', id: number): string | undefined {
    const { env, keyring } = this.#parts
    return openName(env.crypto, env.spaceId, this.held.tree, keyring, subject, id)
  }

  #readCatalog(): { readonly objects: readonly CatalogObject[]; readonly unopened: readonly UnopenedObject[] } {
    const { learned } = this
    if (this.#catalog === undefined || (this.#catalog.unopened.length > 0 && this.#catalog.learned !== learned)) this.#catalog = { ...readCatalog(this.held.tree, this.#sealer), learned }
    return this.#catalog
  }
}
