/** What a definition must not be, one property at a time: the rest of each is as it should be. */
import { describe, expect, it } from 'vitest'
import { readObject, readSchema, toCatalogObject, type SchemaObject, type TableData } from '../../query/catalog.js'
import { DOCUMENTS, DOCUMENTS_TEXT, flawOf, SEQUENCE } from '../../query/catalog-flaws.js'

type Definition = Parameters<typeof flawOf>[0]
const COLUMNS = (['sealed', 'blind', 'sealed', 'sealed'] as const).map((visibility) => ({ visibility }))
const dataOf = (columns: readonly { readonly visibility: string }[]): SchemaObject['data'] => ({ columns }) as unknown as SchemaObject['data']
const flaw = (type: Definition['type'], sql: string, over: Partial<Definition> = {}): string | undefined => flawOf({ type, name: 't', table: 't', sql, data: undefined, ...over })

describe('tables of ours', () => {
  const documents = { name: DOCUMENTS, table: DOCUMENTS, data: dataOf(COLUMNS) }
  const sequence = { name: SEQUENCE, table: SEQUENCE }

  it('are as we make them', () => {
    expect(flaw('table', DOCUMENTS_TEXT, documents)).toBeUndefined()
    expect(flaw('table', 'CREATE TABLE sqlite_sequence(name,seq)', sequence)).toBeUndefined()
  })

  it('are nothing else by that name', () => {
    expect(flaw('view', DOCUMENTS_TEXT, documents)).toBe('name')
    expect(flaw('table', `${DOCUMENTS_TEXT} `, documents)).toBe('name')
    expect(flaw('table', DOCUMENTS_TEXT.replace('NOT NULL', ''), documents)).toBe('name')
    for (const columns of [COLUMNS.toReversed(), COLUMNS.slice(1), [...COLUMNS, { visibility: 'sealed' }], COLUMNS.map(() => ({ visibility: 'plaintext' }))]) expect(flaw('table', DOCUMENTS_TEXT, { ...documents, data: dataOf(columns) })).toBe('name')
    expect(flaw('table', DOCUMENTS_TEXT, { ...documents, data: undefined })).toBe('name')
    expect(flaw('view', 'CREATE TABLE sqlite_sequence(name,seq)', sequence)).toBe('name')
    expect(flaw('table', 'CREATE TABLE sqlite_sequence(name,seq,more)', sequence)).toBe('name')
    expect(flaw('view', 'CREATE VIEW sqlite_sequence AS SELECT 1', sequence)).toBe('name')
  })

  it('have no triggers and no indexes of others', () => {
    for (const name of [DOCUMENTS, DOCUMENTS.toUpperCase()]) {
      expect(flaw('trigger', `CREATE TRIGGER t AFTER INSERT ON ${name} BEGIN SELECT 1; END`, { table: name })).toBe('name')
      expect(flaw('index', `CREATE INDEX t ON ${name} (at)`, { table: name })).toBe('name')
    }
    expect(flaw('trigger', 'CREATE TRIGGER t AFTER INSERT ON other BEGIN SELECT 1; END', { table: 'other' })).toBeUndefined()
  })
})

describe('a text', () => {
  it('makes the one thing that it is said to be, in any case, out of itself alone', () => {
    expect(flaw('table', 'CREATE TABLE t (a)')).toBeUndefined()
    expect(flaw('index', 'CREATE INDEX t ON other (a)', { table: 'OTHER' })).toBeUndefined()
    for (const sql of ['CREATE TEMP TABLE t (a)', 'CREATE TABLE IF NOT EXISTS t (a)', 'CREATE TABLE t AS SELECT 1 AS a', 'CREATE TABLE main.t (a)', 'CREATE TABLE temp.t (a)', 'CREATE TABLE u (a)', 'CREATE VIEW t AS SELECT 1', 'DROP TABLE t', 'SELECT 1']) {
      expect(flaw('table', sql), sql).toBe('text')
    }
    for (const sql of ['CREATE TEMP VIEW t AS SELECT 1', 'CREATE VIEW IF NOT EXISTS t AS SELECT 1', 'CREATE VIEW temp.t AS SELECT 1', 'CREATE TABLE t (a)']) expect(flaw('view', sql), sql).toBe('text')
    for (const sql of ['CREATE INDEX IF NOT EXISTS t ON other (a)', 'CREATE INDEX main.t ON other (a)', 'CREATE INDEX t ON another (a)', 'CREATE INDEX u ON other (a)']) expect(flaw('index', sql, { table: 'other' }), sql).toBe('text')
    const body = 'AFTER INSERT ON other BEGIN SELECT 1; END'
    for (const sql of [`CREATE TEMP TRIGGER t ${body}`, `CREATE TRIGGER IF NOT EXISTS t ${body}`, `CREATE TRIGGER temp.t ${body}`, `CREATE TRIGGER t ${body.replace('other', 'another')}`]) expect(flaw('trigger', sql, { table: 'other' }), sql).toBe('text')
  })

  it('has no CHECK that two devices could judge differently, in a column or after them', () => {
    for (const expression of ['a > random()', 'a = current_timestamp', 'a = Current_Member()', 'a IN (1, sealdb_anything())', 'CASE WHEN a THEN changes() END']) {
      for (const sql of [`CREATE TABLE t (a CHECK (${expression}))`, `CREATE TABLE t (a, CHECK (${expression}))`]) expect(flaw('table', sql), sql).toBe('check')
    }
    expect(flaw('table', 'CREATE TABLE t (a DEFAULT (random()) CHECK (abs(a) > 1))')).toBeUndefined()
  })
})

/** A table with a plaintext, a sealed and a blind column, and an index of each kind. */
const DATA: TableData = {
  shape: {
    key: 'blinded', plain: [{ id: 2, type: 'any', notNull: false }], policies: [],
    indexes: [{ id: 1, kind: 'plain', unique: false, columns: [2] }, { id: 2, kind: 'blind', unique: true, columns: [3, 2] }],
  },
  columns: [{ id: 1, name: 'a', visibility: 'sealed', initial: null }, { id: 2, name: 'b', visibility: 'plaintext', initial: null }, { id: 3, name: 'c', visibility: 'blind', initial: null }],
  nextColumn: 4, collations: [['BINARY'], ['NOCASE', 'BINARY']], nextIndex: 3,
}
const table = (data: TableData | undefined, type: SchemaObject['type'] = 'table'): SchemaObject => ({ id: 7, type, name: 't', table: 't', sql: 'CREATE TABLE t (a, b, c)', parent: undefined, data })
const [a, b, c] = DATA.columns as [TableData['columns'][0], TableData['columns'][0], TableData['columns'][0]]
const [plain, blind] = DATA.shape.indexes as [TableData['shape']['indexes'][0], TableData['shape']['indexes'][0]]
const shape = (over: Partial<TableData['shape']>): TableData => ({ ...DATA, shape: { ...DATA.shape, ...over } })

describe('what is sealed of a table', () => {
  it('is read as it was written', () => {
    expect(readObject(toCatalogObject(table(DATA)))).toEqual(table(DATA))
    // A column that was dropped stays in the shape, and in its index.
    const dropped = { ...DATA, columns: [a, c] }
    expect(readObject(toCatalogObject(table(dropped)))).toEqual(table(dropped))
  })

  it.each([
    ['columns out of order', { ...DATA, columns: [b, a, c] }],
    ['a column twice', { ...DATA, columns: [a, b, b] }],
    ['a column of no id', { ...DATA, columns: [{ ...a, id: 0 }, b, c] }],
    ['a column that is yet to come', { ...DATA, nextColumn: 3 }],
    ['a column shown as sealed that is stored in plain', { ...DATA, columns: [a, { ...b, visibility: 'sealed' }, c] }],
    ['a column shown as plain that is not', { ...DATA, columns: [{ ...a, visibility: 'plaintext' }, b, c] }],
    ['collations for too few indexes', { ...DATA, collations: [['BINARY']] }],
    ['collations for too few columns', { ...DATA, collations: [['BINARY'], ['NOCASE']] }],
    ['an index over a column that is not there', shape({ indexes: [plain, { ...blind, columns: [3, 5] }] })],
    ['an index that is yet to come', { ...DATA, nextIndex: 2 }],
  ] as const)('is nothing with %s', (_, data) => {
    expect(readObject(toCatalogObject(table(data as TableData)))).toBe('bad-encoding')
  })

  it('is of one version, of a table and of nothing else', () => {
    const object = toCatalogObject(table(DATA))
    expect(readObject({ ...object, sealed: Uint8Array.of(2, ...object.sealed.subarray(1)) })).toBe('bad-encoding')
    expect(readObject(toCatalogObject(table(undefined)))).toBe('bad-encoding')
    expect(readObject({ ...toCatalogObject(table(DATA, 'view')), kind: 'view' })).toBe('bad-encoding')
    const { table: _, ...shapeless } = object
    expect(readObject(shapeless)).toBe('bad-encoding')
    expect(readObject({ ...object, kind: 'view' })).toBe('kind')
  })

  it('is read again when anything of it was replaced, if only what the log sees', () => {
    const known = new Map()
    const read = (object: ReturnType<typeof toCatalogObject>): unknown => readSchema({ catalog: [object], isNamed: () => true }, known).broken
    const object = toCatalogObject(table(DATA))
    expect([read(object), read({ ...object })]).toEqual([[], []])
    expect(read({ ...object, table: { ...DATA.shape, plain: [] } })).toEqual([{ id: 7, reason: 'bad-encoding' }])
    expect(read(object)).toEqual([])
    expect(read({ ...object, kind: 'index' })).toEqual([{ id: 7, reason: 'kind' }])
    expect(read(toCatalogObject({ ...table(DATA), sql: 'CREATE TABLE u (a, b, c)' }))).toEqual([{ id: 7, reason: 'text' }])
  })
})
