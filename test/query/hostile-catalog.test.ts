/**
 * A writer whose client seals what it likes into the catalog. The log can't see it, so every reader has to: nobody else's tables and statements change, it is
 * the same for who followed and for who opens anew, and what was left out is named.
 */
import { describe, expect, test } from 'vitest'
import { findTable, readSchema, toCatalogObject, type SchemaObject } from '../../query/catalog.js'
import { Mirror } from '../../query/materialise.js'
import { Capture } from '../../query/capture.js'
import { openSqlite } from '../../query/sqlite.js'
import { reblind } from '../../engine/space/acts.js'
import { nameOfCatalogObject } from '../../query/migrations.js'
import { MAX_DEFINITION_LENGTH } from '../../engine/limits.js'
import { codeOf, contents, shownAlike } from './database-support.js'
import { inStep, two, type Peer } from './peers-support.js'

const sqlite = await openSqlite()
const SCHEMA = 'CREATE TABLE secret (v); CREATE TABLE audit (v); INSERT INTO secret VALUES (1)'

type Planted = Pick<SchemaObject, 'type' | 'name' | 'sql'> & Partial<SchemaObject>
let planted = 0

/** The token is of another name than the one that is sealed, unless `name` is given. */
async function plant(by: Peer, object: Planted, name = `planted:${planted++}`): Promise<number> {
  const view = by.space.current
  const id = view.nextObject
  const whole = { id, table: object.name, parent: undefined, data: undefined, ...object }
  const committed = await by.space.commit({ catalog: [{ kind: 'create', object: toCatalogObject(whole), name }], rows: [], reads: [] }, view)
  expect((await committed.settled).kind).toBe('relay')
  return id
}

const tableOf = (peer: Peer, name: string): SchemaObject => findTable(readSchema(peer.space.current).schema, name) as SchemaObject
const brokenOf = (peer: Peer): readonly unknown[] => readSchema(peer.space.current).broken

/** Ada, who followed, and whoever opens the space now see the same; and it is this. */
const expectSame = async (ada: Peer, expected: unknown): Promise<void> => expect(await shownAlike(ada)).toEqual(expected)

/** Name, text, and why it is left out. */
const HARMFUL = [
  // They would answer in place of our relations, and of what tables are read by.
  ['sealdb_members', "CREATE VIEW sealdb_members AS SELECT 1 AS id, 'eve' AS name, 'owner' AS role", 'name'],
  ['pragma_table_xinfo', 'CREATE VIEW pragma_table_xinfo AS SELECT 1 AS name', 'name'],
  ['Pragma_Index_List', 'CREATE VIEW Pragma_Index_List AS SELECT 1 AS name', 'name'],
  ['sqlite_stat1', 'CREATE VIEW sqlite_stat1 AS SELECT 1', 'name'],
  ['sqlite_Sequence', 'CREATE VIEW sqlite_Sequence AS SELECT 1', 'name'],
  // Texts that end early, go on, or are passed over.
  ['evil1', "CREATE VIEW evil1 AS SELECT 'a\0b'", 'text'],
  ['evil2', 'CREATE VIEW evil2 AS SELECT 1; DROP TABLE secret', 'sql-syntax'],
  ['evil3', 'CREATE VIEW IF NOT EXISTS evil3 AS SELECT 1', 'text'],
  ['evil4', 'CREATE TEMP VIEW evil4 AS SELECT 1', 'text'],
  ['evil5', 'CREATE VIEW secret2 AS SELECT 1', 'text'],
  ['evil6', 'PRAGMA query_only = 1', 'text'],
  // Texts that a parser chokes on.
  ['evil7', `CREATE VIEW evil7 AS SELECT '${"''".repeat(2 ** 22)}'`, 'too-large'],
  ['evil8', `CREATE VIEW evil8 AS SELECT '${'a'.repeat(MAX_DEFINITION_LENGTH)}'`, 'too-large'],
  ['evil9', `CREATE VIEW evil9 AS SELECT ${'('.repeat(5_000)}1${')'.repeat(5_000)}`, 'sql-limit'],
  ['evil10', 'CREATE VIEW evil10 AS SELECT \u{1F4A3} FROM \u0001', 'sql-syntax'],
] as const

describe('definitions that reach for what is not theirs', () => {
  const evil = "CREATE TRIGGER evil AFTER INSERT ON secret BEGIN DELETE FROM secret; INSERT INTO audit VALUES ('pwned'); END"

  test('a trigger or index on another’s table, whatever parent it names, is nobody’s', async () => {
    const { ada, bob } = await two(SCHEMA)
    const before = await contents(ada.db)
    await bob.db.exec('CREATE TABLE own (v)')
    const own = tableOf(bob, 'own')
    const ids = [
      await plant(bob, { type: 'trigger', name: 'evil', table: 'secret', sql: evil }, 'trigger:evil'),
      await plant(bob, { type: 'trigger', name: 'evil2', table: 'secret', parent: own.id, sql: evil.replace('evil', 'evil2') }, 'trigger:evil2'),
      await plant(bob, { type: 'trigger', name: 'evil3', table: 'own', parent: own.id, sql: evil.replace('evil', 'evil3') }, 'trigger:evil3'),
      await plant(bob, { type: 'index', name: 'evil4', table: 'secret', parent: own.id, sql: 'CREATE UNIQUE INDEX evil4 ON secret (length(v))' }, 'name:evil4'),
      await plant(bob, { type: 'index', name: 'evil5', table: 'own', parent: own.id, sql: 'CREATE UNIQUE INDEX evil5 ON secret (length(v))' }, 'name:evil5'),
    ]
    // A table that says it is the other's: its trigger would come with it.
    const twin = await plant(bob, { ...own, id: bob.space.current.nextObject, name: 'secret', table: 'secret', sql: 'CREATE TABLE secret (v)' })
    ids.push(twin, await plant(bob, { type: 'trigger', name: 'evil6', table: 'secret', parent: twin, sql: evil.replace('evil', 'evil6') }, 'trigger:evil6'))
    await inStep(ada, bob)
    await ada.db.query('INSERT INTO secret VALUES (2)')
    expect(brokenOf(ada)).toEqual([['parent'], ['parent'], ['text'], ['parent'], ['text'], ['name'], ['parent']].map(([reason], i) => ({ id: ids[i], reason })))
    const { schema, tables } = before as { schema: unknown[]; tables: object }
    await expectSame(ada, { schema: [['table', 'audit', 'audit', 'CREATE TABLE audit (v)'], ['table', 'own', 'own', 'CREATE TABLE own (v)'], ...schema.slice(1)], tables: { ...tables, own: [], secret: [['1n'], ['2n']] } })
  })

  test('an older table does not take a newer one’s name and place', async () => {
    const { ada, bob } = await two('CREATE TABLE before (v)')
    await bob.db.query('CREATE TABLE mine (v)')
    await inStep(ada, bob)
    await ada.db.exec('CREATE TABLE salary (v); INSERT INTO salary VALUES (100)')
    await inStep(ada, bob)
    const mine = tableOf(bob, 'mine')
    const object = toCatalogObject({ ...mine, name: 'salary', table: 'salary', sql: 'CREATE TABLE salary (v)' })
    await (await bob.space.commit({ catalog: [{ kind: 'replace', object, name: 'name:another' }], rows: [], reads: [] }, bob.space.current)).settled
    await inStep(ada, bob)
    const expected = { schema: [['table', 'before', 'before', 'CREATE TABLE before (v)'], ['table', 'salary', 'salary', 'CREATE TABLE salary (v)']], tables: { before: [], salary: [['100n']] } }
    expect(brokenOf(ada)).toEqual([{ id: mine.id, reason: 'name' }])
    await expectSame(ada, expected)
    // Nor is it given the name when all tokens are made again.
    await reblind(ada.space, { nameOf: nameOfCatalogObject })
    await inStep(ada, bob)
    expect(brokenOf(ada)).toEqual([{ id: mine.id, reason: 'name' }])
    await expectSame(ada, expected)
    expect(brokenOf(bob)).toEqual([{ id: mine.id, reason: 'name' }])
  })

  test('names and texts that are not what they seem', async () => {
    const { ada, bob } = await two(SCHEMA)
    const ids: number[] = []
    for (const [name, sql] of HARMFUL) ids.push(await plant(bob, { type: 'view', name, sql }, `name:${name.toLowerCase()}`))
    await inStep(ada, bob)
    expect(brokenOf(ada)).toEqual(HARMFUL.map(([, , reason], i) => ({ id: ids[i], reason })))
    expect((await ada.db.query('SELECT id, role FROM sealdb_members ORDER BY id')).rows).toEqual([{ id: 1, role: 'owner' }, { id: 2, role: 'writer' }])
    await expectSame(ada, { schema: [['table', 'audit', 'audit', 'CREATE TABLE audit (v)'], ['table', 'secret', 'secret', 'CREATE TABLE secret (v)']], tables: { audit: [], secret: [['1n']] } })
    await ada.db.exec('CREATE TABLE more (v); DROP TABLE more')
  })
})

test('a CHECK that does not say the same everywhere is left out, and its author is refused', async () => {
  const { ada, bob } = await two(SCHEMA)
  for (const varying of ['random() > 0', "current_timestamp < '2030'", 'current_member() = 1', 'CURRENT_ROLE() IS NULL', '"changes"() = 0', 'sealdb_touch(1)']) {
    expect(await codeOf(bob.db.query(`CREATE TABLE t (v CHECK (${varying}))`))).toBe('unsupported-sql')
    expect(await codeOf(bob.db.query(`CREATE TABLE t (v, CHECK (v IN (1, abs(${varying.split(' ')[0] as string}))))`))).toBe('unsupported-sql')
  }
  for (const name of ['sealdb_x', 'pragma_x', 'SEALDB_members']) expect(await codeOf(bob.db.query(`CREATE TABLE ${name} (v)`))).toBe('unsupported-sql')
  expect(await codeOf(bob.db.query('ALTER TABLE secret RENAME TO sealdb_secret'))).toBe('unsupported-sql')
  await bob.db.query('CREATE TABLE own (v CHECK (v > 0))')
  const own = tableOf(bob, 'own')
  const object = toCatalogObject({ ...own, sql: 'CREATE TABLE own (v CHECK (random() > 0))' })
  await (await bob.space.commit({ catalog: [{ kind: 'replace', object }], rows: [], reads: [] }, bob.space.current)).settled
  await inStep(ada, bob)
  expect(brokenOf(ada)).toEqual([{ id: own.id, reason: 'check' }])
})

test('a second note of a migration, under another name, is none', async () => {
  const { ada, bob } = await two(SCHEMA)
  const done = [{ version: 1, up: 'CREATE TABLE task (v)' }]
  await ada.db.migrate(done)
  await inStep(ada, bob)
  const genuine = bob.space.current.catalog.find(({ kind }) => kind === 'other')
  const note = genuine?.sealed.slice() ?? new Uint8Array()
  note[note.length - 1] = (note.at(-1) ?? 0) ^ 1
  const object = { id: bob.space.current.nextObject, kind: 'other' as const, sealed: note }
  await (await bob.space.commit({ catalog: [{ kind: 'create', object, name: 'another' }], rows: [], reads: [] }, bob.space.current)).settled
  await inStep(ada, bob)
  expect(await ada.db.migrate(done)).toEqual({ version: 1, applied: [] })
  expect((await ada.db.query('SELECT version FROM sealdb_migrations')).rows).toEqual([{ version: 1 }])
})

test('an admin drops by number what no SQL can name, and what it held is free again', async () => {
  const { ada, bob } = await two(SCHEMA)
  await bob.db.query('CREATE TABLE own (v)')
  const own = tableOf(bob, 'own')
  await plant(bob, { ...own, id: bob.space.current.nextObject, name: 'twin', table: 'twin', sql: 'CREATE TABLE twin (v, w)' }, 'name:twin')
  await bob.db.migrate([{ version: 9, up: 'CREATE TABLE late (v)' }])
  await inStep(ada, bob)
  const early = [{ version: 1, up: 'CREATE TABLE early (v)' }]
  expect(await codeOf(ada.db.query('CREATE TABLE twin (v)'))).toBe('rejected')
  expect(await codeOf(ada.db.migrate(early))).toBe('migration-conflict')
  const { rows } = await ada.db.query('SELECT id, kind, name, creator, reason FROM sealdb_objects WHERE reason IS NOT NULL OR kind = \'migration\' ORDER BY id')
  expect(rows).toMatchObject([{ kind: 'table', name: null, creator: 2, reason: 'bad-encoding' }, { kind: 'migration', name: 'migration 9', creator: 2, reason: null }])
  for (const { id } of rows) expect(await (await ada.db.dropObject(Number(id)))?.settled).toMatchObject({ kind: 'relay' })
  await ada.db.query('CREATE TABLE twin (v)')
  expect(await ada.db.migrate(early)).toMatchObject({ version: 1, applied: [{ version: 1 }] })
  await inStep(ada, bob)
  expect(brokenOf(bob)).toEqual([])
  const named = (await bob.db.query("SELECT id FROM sealdb_objects WHERE name = 'twin'")).rows.map(({ id }) => Number(id))
  expect(named).toHaveLength(1)
  expect(await codeOf(bob.db.dropObject(named[0] as number))).toBe('bad-argument')
  expect(await codeOf(bob.db.dropObject(999))).toBe('bad-argument')
  const [note] = (await bob.db.query("SELECT id FROM sealdb_objects WHERE kind = 'migration'")).rows
  expect(await codeOf(bob.db.dropObject(Number(note?.['id'])))).toBe('rejected')
})

test.each([
  ['not as many as', 'CREATE TABLE own (v)', '(v, w)'],
  // What is to be sealed would be written where everybody reads.
  ['in another order than', 'CREATE TABLE own (v PLAINTEXT, w)', '(w, v)'],
])('a table whose columns are %s those of its text is nowhere, and nobody inherits it', async (_, text, columns) => {
  const { ada, bob } = await two(SCHEMA)
  await bob.db.query(text)
  const own = tableOf(bob, 'own')
  await plant(bob, { ...own, id: bob.space.current.nextObject, name: 'twin', table: 'twin', sql: `CREATE TABLE twin ${columns}` }, 'name:twin')
  await inStep(ada, bob)
  expect(await codeOf(ada.db.query('SELECT * FROM twin'))).toBe('sql-error')
  const objects = ada.space.current.catalog.length
  await ada.db.query('CREATE VIEW more AS SELECT v FROM secret')
  expect(ada.space.current.catalog.length).toBe(objects + 1)
  expect(await codeOf(ada.db.query('INSERT INTO twin VALUES (1, 2)'))).toBe('sql-error')
})

test('whether an index is there does not depend on the rows that a device had when it came', async () => {
  const { ada, bob } = await two('CREATE TABLE t (v); INSERT INTO t VALUES (1)', 'admin')
  await bob.db.exec('CREATE TABLE own (v); INSERT INTO own VALUES (-9223372036854775808), (5), (5)')
  await inStep(ada, bob)
  await ada.db.query('SELECT * FROM own')
  const own = tableOf(bob, 'own')
  const sql = ['CREATE INDEX i ON own (abs(v))', 'CREATE UNIQUE INDEX u ON own (v) WHERE v > 0'] as const
  const i = await plant(bob, { type: 'index', name: 'i', table: 'own', parent: own.id, sql: sql[0] }, 'name:i')
  await plant(bob, { type: 'index', name: 'u', table: 'own', parent: own.id, sql: sql[1] }, 'name:u')
  await inStep(ada, bob)
  const tables = [['table', 'own', 'own', 'CREATE TABLE own (v)'], ['table', 't', 't', 'CREATE TABLE t (v)']]
  await expectSame(ada, { schema: [['index', 'i', 'own', sql[0]], ['index', 'u', 'own', sql[1]], ...tables], tables: { own: [['5n']], t: [['1n']] } })
  expect(ada.db.quarantine().map(({ reason }) => reason).sort()).toEqual(['error', 'unique'])
  await (await bob.space.commit({ catalog: [{ kind: 'drop', id: i }], rows: [], reads: [] }, bob.space.current)).settled
  await inStep(ada, bob)
  await expectSame(ada, { schema: [['index', 'u', 'own', sql[1]], ...tables], tables: { own: [['-9223372036854775808n'], ['5n']], t: [['1n']] } })
})

test('views that are too much to compile cost who asks for them, and nobody else', async () => {
  const { ada, bob } = await two(SCHEMA)
  await bob.db.query('CREATE VIEW v0 AS SELECT 1 AS x')
  for (let i = 1; i <= 30; i++) await bob.db.query(`CREATE VIEW v${i} AS SELECT a.x FROM v${i - 1} a, v${i - 1} b`)
  await inStep(ada, bob)
  // Were they compiled to describe a table, this would take minutes.
  const [db, other] = [sqlite.database(), sqlite.database()]
  const mirror = new Mirror(db, new Capture(other), ada.space.current)
  expect(mirror.broken).toEqual([])
  mirror.close()
  db.close()
  other.close()
  expect((await ada.db.query('SELECT v FROM secret')).rows).toEqual([{ v: 1 }])
})
