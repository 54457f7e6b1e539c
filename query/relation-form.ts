/**
 * A table of the schema as policies and plans see it: every column, generated ones too, with visibility, affinity and collation; the key; the
 * engine's indexes. Read from the catalog and from SQLite's own description, and kept for as long as the object is the same.
 */
import { MAX_INDEXES } from '../engine/limits.js'
import { type ColumnId } from '../engine/space/types.js'
import { type SchemaObject, type TableData } from './catalog.js'
import { type Collation } from './keys.js'
import type { PolicyColumn, PolicyTable } from './policies.js'
import { type CreateTable, type ForeignKey, type Node, type References } from './sql/ast.js'
import { foldName } from './sql/names.js'
import { parseStatement } from './sql/parse.js'
import { type TableForm } from './sqlite/form.js'
import { quoteName } from './sqlite/names.js'

export interface RelationForm extends PolicyTable {
  readonly keyCollations: readonly Collation[]
  /** The key is the rowid, under a column's name (`key` has it) or none (`key` is empty). */
  readonly keyIsRowid: boolean
  /** For each index of the shape, the collations of its columns. */
  readonly collations: readonly (readonly Collation[])[]
  /** What it references. */
  readonly references: readonly Reference[]
  /** What must not repeat besides the key: columns by name, or undefined for expressions, generated columns and partial indexes. */
  readonly uniques: readonly (readonly PolicyColumn[] | undefined)[]
  /** A constraint says ON CONFLICT REPLACE, so that any write may delete rows. */
  readonly replaces: boolean
}

/** Columns by name; without `to` it is the parent's primary key. */
export interface Reference {
  readonly parent: string
  readonly from: readonly string[]
  readonly to: readonly string[] | undefined
}

const forms = new WeakMap<SchemaObject, RelationForm>()

/** `form` is SQLite's description of this very object (`Binding.form`). */
export function relationForm(object: SchemaObject & { readonly data: TableData }, form: TableForm): RelationForm {
  let found = forms.get(object)
  if (found === undefined) forms.set(object, (found = makeForm(object, form)))
  return found
}

/** The space keeps every UNIQUE of the table itself: rows that are loaded collide with none that are not. */
export function isUniqueInSpace({ uniques, shape: { indexes } }: RelationForm): boolean {
  const isKept = (over: readonly PolicyColumn[] | undefined): boolean =>
    over !== undefined && indexes.some(({ unique, columns }) => unique && columns.length === over.length && columns.every((id, i) => id === over[i]?.id))
  // A table with as many indexes as there can be may lack one more over the same columns.
  return indexes.length < MAX_INDEXES && uniques.every(isKept)
}

function makeForm(object: SchemaObject & { readonly data: TableData }, form: TableForm): RelationForm {
  const { data } = object
  const statement = parseStatement(object.sql)
  const create = statement.kind === 'create-table' ? statement : undefined
  const collations = new Map((create?.columns ?? []).map(({ name, constraints }) => [foldName(name.text), constraints.map((c) => (c.kind === 'collate-constraint' ? c.collation.text : '')).findLast((c) => c !== '')]))
  const columns = form.allColumns.map((name): PolicyColumn => {
    const column = data.columns.find((each) => each.name === name)
    return {
      id: column?.id, name,
      visibility: column?.visibility ?? 'sealed',
      affinity: form.columns.find((each) => each.name === name)?.affinity ?? 'blob',
      collation: asCollation(collations.get(foldName(name))),
    }
  })
  return {
    id: object.id, name: object.name, columns, shape: data.shape,
    key: form.keySlots.map((slot) => data.columns[slot]?.id as ColumnId), // `Binding` has compared both
    keyCollations: form.keyCollations,
    keyIsRowid: form.keyIsRowid,
    collations: data.collations,
    references: create === undefined ? [] : references(create),
    uniques: form.uniques.map(({ terms, where }) => {
      const over = terms.map(({ sql, column }) => (column ? columns.find(({ id, name }) => id !== undefined && quoteName(name) === sql) : undefined))
      return where === undefined && over.every((each) => each !== undefined) ? over : undefined
    }),
    replaces: create !== undefined && [...create.columns.flatMap(({ constraints }): readonly Node[] => constraints), ...create.constraints].some((each) => 'conflict' in each && each.conflict === 'replace'),
  }
}

function references(create: CreateTable): readonly Reference[] {
  const reference = ({ table, columns }: References, from: readonly string[]): Reference => (
    { parent: table.text, from, to: columns.length === 0 ? undefined : columns.map(({ text }) => text) })
  const own = create.columns.flatMap(({ name, constraints }) => constraints.flatMap((c) => (c.kind === 'references' ? [reference(c.target, [name.text])] : [])))
  return [...own, ...create.constraints.filter((c): c is ForeignKey => c.kind === 'foreign-key').map(({ target, columns }) => reference(target, columns.map(({ text }) => text)))]
}

function asCollation(word: string | undefined): Collation {
  const upper = word?.toUpperCase()
  return upper === 'NOCASE' || upper === 'RTRIM' ? upper : 'BINARY'
}
