/**
 * What a write turns out to look at while it runs, where rows are elsewhere (a thin client's). TEMP triggers report each row that is about to be written, and
 * was written, with all its values; from those follows what SQLite compares it with, and what the schema's own triggers will look for: rule (i) of "which
 * ranges a statement implies", value by value. Ranges that are not here are noted, and the statement goes on. If in the end they hold no rows, it ran on
 * what it would have run on; if they do, it is undone and run again with them (session.ts).
 */
import { type SqlValue } from '../engine/codec/value.js'
import { SealError } from '../engine/errors.js'
import { type ObjectId, type RowRange } from '../engine/space/types.js'
import { sameValue } from './capture.js'
import { constants, type Constants } from './evaluate.js'
import { childrenOf, parentColumns, parentOf, rivals, type Lookup, type ValueOf } from './lookups.js'
import { type PlanSchema, rangesOf, type Ranges } from './plan.js'
import { canBeProbed, EVENTS } from './probe-triggers.js'
import { firedBy, type Fired } from './probed-triggers.js'
import { type Reference, type RelationForm } from './relation-form.js'
import { sameName } from './sql/names.js'
import { type Sqlite } from './sqlite.js'
import { type Arguments } from './sqlite/functions.js'

export interface ProbesContext {
  /** The schema that statements see now: one object for as long as it is the same. */
  readonly schema: object
  plan(): PlanSchema
  relation(table: ObjectId): RelationForm | undefined
  /** SQLite holds all rows of that range. */
  isHere(table: ObjectId, range: RowRange): boolean
}

/** What there is to look at for each table, by one schema. */
interface Tables {
  readonly schema: object
  readonly tables: Map<ObjectId, Watched | undefined>
  readonly plan: PlanSchema
}

interface Watched {
  readonly relation: RelationForm
  readonly parents: readonly { readonly reference: Reference; readonly parent: RelationForm }[]
  readonly children: readonly { readonly reference: Reference; readonly child: RelationForm }[]
  readonly fired: readonly Fired[]
}

export class Probes {
  readonly #db: Sqlite
  readonly #context: ProbesContext
  #missing: Map<ObjectId, Ranges> | undefined
  #strict = false
  #known: Tables | undefined

  constructor(db: Sqlite, context: ProbesContext) {
    this.#db = db
    this.#context = context
    db.createProcedure('sealdb_probe', (args) => {
      if (this.#missing !== undefined) this.#probe(args)
    })
  }

  /** A statement begins. `strict`: it stops at the first range that is not here, since what it might do there can't be undone. */
  begin(strict: boolean): void {
    this.#missing = new Map()
    this.#strict = strict
  }

  /** What it looked at that is not here. */
  end(): ReadonlyMap<ObjectId, Ranges> {
    const missing = this.#missing ?? new Map<ObjectId, Ranges>()
    this.#missing = undefined
    return missing
  }

  #probe(args: Arguments): void {
    const { tables, plan } = this.#tables()
    const table = args.safeInteger(0) ?? -1
    if (!tables.has(table)) tables.set(table, this.#describe(table, plan))
    const watched = tables.get(table)
    if (watched === undefined) return
    const { relation } = watched
    const code = args.safeInteger(1) ?? -1
    const event = EVENTS[code]
    const after = args.safeInteger(2) === 1
    const values: SqlValue[] = []
    for (let i = 3; i < args.count; i++) values.push(args.value(i))
    const row = (from: number): ValueOf => (column) => values[column === undefined ? from : from + 1 + relation.columns.indexOf(column)] ?? null
    const known = constants(this.#db, [])
    if (event === undefined) return this.#refers(watched, row(0), known)
    const old = event === 'insert' ? undefined : row(0)
    const fresh = event === 'delete' ? undefined : row(event === 'insert' ? 0 : 1 + relation.columns.length)
    if (fresh !== undefined) this.#arrives(watched, old, fresh, after, known)
    if (event !== 'update') this.#refers(watched, row(0), known)
    this.#isReferred(watched, old, fresh, known)
    for (const each of watched.fired) {
      if (each.event !== event || (event !== 'delete' && each.after !== after)) continue
      for (const { statement, values: told } of each.steps(this.#db, old, fresh)) {
        for (const [other, ranges] of rangesOf(statement, plan, told)) this.#need(other, ranges === 'all' ? undefined : ranges)
      }
    }
  }

  /** Rows that it may collide with. */
  #arrives({ relation }: Watched, old: ValueOf | undefined, fresh: ValueOf, after: boolean, known: Constants): void {
    const { keyIsRowid } = relation
    const rowid = keyIsRowid ? fresh(undefined) : undefined
    // Before an INSERT that names none, it is −1; then SQLite takes the one above the greatest there is.
    const left = keyIsRowid && old === undefined && !after && rowid === -1n
    const moved = old === undefined ? undefined : (id: number): boolean => relation.columns.some((column) => column.id === id && !sameValue(old(column), fresh(column)))
    const keyMoved = moved === undefined || (keyIsRowid ? old?.(undefined) !== rowid : relation.key.some(moved))
    if (left) this.#need(relation.id, undefined)
    else this.#need(relation.id, rivals(relation, fresh, known, keyMoved, moved))
  }

  /** Rows that it refers to: a child that comes without its parent is counted, and one that goes and had none is counted off. */
  #refers({ relation, parents }: Watched, row: ValueOf, known: Constants): void {
    if (!this.#db.foreignKeys) return
    for (const { reference, parent } of parents) this.#need(parent.id, parentOf(parent, reference, relation, row, known))
  }

  /** Rows that refer to it, as it was and as it will be: SQLite counts those that lose their parent, and those that find one. */
  #isReferred({ relation, children }: Watched, old: ValueOf | undefined, fresh: ValueOf | undefined, known: Constants): void {
    if (!this.#db.foreignKeys) return
    for (const { reference, child } of children) {
      const to = parentColumns(relation, reference)
      if (old !== undefined && fresh !== undefined && to?.every((column) => sameValue(old(column), fresh(column))) === true) continue
      for (const row of [old, fresh]) if (row !== undefined) this.#need(child.id, childrenOf(child, reference, relation, row, known))
    }
  }

  #need(table: ObjectId, ranges: Lookup): void {
    const missing = this.#missing
    if (missing === undefined || missing.get(table) === 'all' || this.#context.isHere(table, { kind: 'all' })) return
    const lacking = ranges?.filter((range) => !this.#context.isHere(table, range))
    if (lacking?.length === 0) return
    const before = missing.get(table) as readonly RowRange[] | undefined // not 'all', see above
    missing.set(table, lacking === undefined ? 'all' : [...(before ?? []), ...lacking])
    if (this.#strict) throw new SealError('out-of-scope', 'This write looks at rows that are not here yet.', { table })
  }

  #tables(): Tables {
    const { schema } = this.#context
    if (this.#known?.schema !== schema) this.#known = { schema, tables: new Map(), plan: this.#context.plan() }
    return this.#known
  }

  #describe(table: ObjectId, plan: PlanSchema): Watched | undefined {
    const relation = this.#context.relation(table)
    if (relation === undefined || !canBeProbed(relation)) return undefined
    const parents = relation.references.flatMap((reference) => {
      const parent = plan.find(reference.parent)
      return parent === undefined || 'select' in parent ? [] : [{ reference, parent }]
    })
    const children = [...plan.tables()].flatMap((child) => child.references.filter(({ parent }) => sameName(parent, relation.name)).map((reference) => ({ reference, child })))
    return { relation, parents, children, fired: [...plan.triggers(relation.name)].map((trigger) => firedBy(trigger, relation)) }
  }
}
