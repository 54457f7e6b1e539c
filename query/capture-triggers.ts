/** The TEMP triggers by which SQLite tells capture.ts which rows change. */
import { type TableForm, type UniqueForm } from './sqlite/form.js'
import { quoteName } from './sqlite/names.js'

/** What a trigger reports of a row: the key, and the rowid if that may be needed. */
export function identityNames({ keyNames, nullKey: mayBeNull, rowid }: TableForm): readonly string[] {
  return mayBeNull && rowid !== undefined ? [...keyNames, rowid] : keyNames
}

export const TRIGGERS = ['insert', 'update', 'delete', 'before_insert', 'before_update'] as const

/** `told`: whoever runs statements tells which rows they insert, so no trigger has to. */
export function triggersFor(id: number, form: TableForm, told: boolean): string[] {
  const on = `main.${quoteName(form.name)}`
  const names = identityNames(form)
  const touch = (row: 'NEW' | 'OLD'): string => touchOf(id, form, row)
  const moved = names.map((key) => `NEW.${key} IS NOT OLD.${key}`).join(' OR ')
  const trigger = (name: (typeof TRIGGERS)[number], event: string, body: readonly string[]): string => triggerSql(id, form, name, event, body)
  const probes = form.uniques.map((unique) => ({ sql: probe(id, form, unique), moved: movedIn(unique) }))
  if (form.defaults.size > 0 && form.uniques.some((unique) => !isTold(form, unique))) {
    // What REPLACE puts in place of a NULL is not in NEW, nor in what is computed from it: then any row may go.
    const filled = [...form.defaults.keys()].map((column) => `NEW.${column} IS NULL`).join(' OR ')
    probes.push({ sql: `SELECT sealdb_touch(${[id, ...names].join(', ')}) FROM ${on} WHERE (${filled})`, moved: undefined })
  }
  if (form.rowid !== undefined && !form.keyIsRowid) {
    // A declared key beside a rowid: whoever writes the rowid itself may replace another row by it.
    probes.push({ sql: `SELECT sealdb_touch(${[id, ...names].join(', ')}) FROM ${on} WHERE ${form.rowid} = NEW.${form.rowid}`, moved: `NEW.${form.rowid} IS NOT OLD.${form.rowid}` })
  }
  return [
    ...(told ? [] : [insertTrigger(id, form)]),
    trigger('update', 'AFTER UPDATE', [touch('OLD'), `${touch('NEW')} WHERE ${moved}`]),
    trigger('delete', 'AFTER DELETE', [touch('OLD')]),
    ...(probes.length === 0 ? [] : [
      trigger('before_insert', 'BEFORE INSERT', probes.map(({ sql }) => sql)),
      trigger('before_update', 'BEFORE UPDATE', probes.map(({ sql, moved: when }) => (when === undefined ? sql : `${sql} AND (${when})`))),
    ]),
  ]
}

export function insertTrigger(id: number, form: TableForm): string {
  return triggerSql(id, form, 'insert', 'AFTER INSERT', [touchOf(id, form, 'NEW')])
}

function touchOf(id: number, form: TableForm, row: 'NEW' | 'OLD'): string {
  return `SELECT sealdb_touch(${[id, ...identityNames(form).map((key) => `${row}.${key}`)].join(', ')})`
}

export function triggerSql(id: number, { name: table }: TableForm, name: string, event: string, body: readonly string[]): string {
  return `CREATE TEMP TRIGGER sealdb_capture_${id}_${name} ${event} ON main.${quoteName(table)} BEGIN ${body.join('; ')}; END`
}

/** The index's place of a row is told by NEW and literal defaults alone: plain columns, none of them generated. */
function isTold({ columns, defaults }: TableForm, { terms }: UniqueForm): boolean {
  return terms.every(({ sql, column }) => column && columns.some(({ name }) => quoteName(name) === sql) && !(defaults.has(sql) && defaults.get(sql) === undefined))
}

/** When an UPDATE can come into another row's place: undefined is always (an expression may have moved, or the row come under a partial index). */
export function movedIn({ terms, where }: Pick<UniqueForm, 'terms' | 'where'>): string | undefined {
  if (where !== undefined || !terms.every(({ column }) => column)) return undefined
  return terms.map(({ sql }) => `NEW.${sql} IS NOT OLD.${sql}`).join(' OR ')
}

/** The key of the row that has NEW's place in a unique index. */
function probe(id: number, form: TableForm, unique: UniqueForm): string {
  return `SELECT sealdb_touch(${[id, ...identityNames(form)].join(', ')}) ${inTheWay(form, unique)}`
}

/** FROM and WHERE of that row. */
export function inTheWay(form: TableForm, { terms, where }: Pick<UniqueForm, 'terms' | 'where'>): string {
  // An expression is written over bare columns: a subquery whose columns are NEW's gives them their values, affinity and collation.
  const fresh = `(SELECT ${form.allColumns.map((column) => `NEW.${quoteName(column)} AS ${quoteName(column)}`).join(', ')})`
  const value = (column: string): string => {
    const literal = form.defaults.get(column)
    return literal === undefined ? `NEW.${column}` : `coalesce(NEW.${column}, ${literal})`
  }
  const equal = terms.map(({ sql, column, collation }) => (column ? `${sql} = ${value(sql)} COLLATE ${collation}` : `${sql} = (SELECT ${sql} FROM ${fresh})`))
  const conditions = [...equal, ...(where === undefined ? [] : [`(${where})`])]
  return `FROM main.${quoteName(form.name)} WHERE ${conditions.join(' AND ')}`
}
