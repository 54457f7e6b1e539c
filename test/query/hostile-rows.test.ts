/** A writer whose client seals rows that are not what they say: the key of one row and the body of another, bodies that are none. Nobody else's rows give way. */
import { expect, test } from 'vitest'
import { encodeBody } from './body-support.js'
import { findTable, readSchema, toCatalogObject, type SchemaObject } from '../../query/catalog.js'
import { type Policy, type RowChange, type RowImage } from '../../engine/space/types.js'
import { type SqlValue } from '../../engine/codec/value.js'
import { Database } from '../../query/database.js'
import { codeOf, shownAlike } from './database-support.js'
import { inStep, two, type Peer } from './peers-support.js'

const tableOf = (peer: Peer, name: string): SchemaObject => findTable(readSchema(peer.space.current).schema, name) as SchemaObject
const GARBAGE = Uint8Array.of(9, 9, 9)

/** What became of it in the log. */
async function write(by: Peer, table: string, kind: 'insert' | 'update', key: readonly SqlValue[], row: Partial<RowImage>): Promise<string> {
  const change: RowChange = { kind, table: tableOf(by, table).id, key, row: { plain: [], blind: [], body: GARBAGE, ...row } }
  try {
    return (await (await by.space.commit({ catalog: [], rows: [change], reads: [] }, by.space.current)).settled).kind
  } catch (error) {
    return String((error as { readonly code?: string }).code)
  }
}

const expectSame = async (ada: Peer, tables: object): Promise<void> => expect(await shownAlike(ada)).toMatchObject({ tables })

test('a row under another key than it says gets no access by that key', async () => {
  const { ada, bob } = await two(`CREATE TABLE seat (team INTEGER PLAINTEXT, member INTEGER PLAINTEXT, boss INTEGER PLAINTEXT, PRIMARY KEY (team, member)) WITHOUT ROWID;
    CREATE TABLE doc (id INTEGER PRIMARY KEY, team INTEGER PLAINTEXT, text);
    CREATE POLICY own ON seat FOR ALL USING (boss = current_member()) WITH CHECK (boss = current_member() AND (team = 2 OR boss = 1));
    CREATE POLICY seats ON doc FOR ALL USING (EXISTS (SELECT 1 FROM seat WHERE seat.team = doc.team AND seat.member = current_member()));
    INSERT INTO seat VALUES (1, 1, 1); INSERT INTO doc VALUES (1, 1, 'plans')`)
  expect(await codeOf(bob.db.query("UPDATE doc SET text = 'sold'"))).toBe('rejected')
  expect(await codeOf(bob.db.query('INSERT INTO seat VALUES (1, 2, 2)'))).toBe('rejected')
  // Verifiers judge the columns (a seat in his own team), and the row lies under the key of a seat in team 1.
  expect(await write(bob, 'seat', 'insert', [1n, 2n], { plain: [2n, 2n, 2n], body: encodeBody([], []) })).toBe('relay')
  expect(await write(bob, 'seat', 'insert', [1n, 3n], { plain: [2n, 3n, 'x'.repeat(300) as SqlValue], body: encodeBody([], []) })).toBe('rejected')
  expect(await codeOf(bob.db.query("UPDATE doc SET text = 'sold'"))).toBe('rejected')
  await inStep(ada, bob)
  await expectSame(ada, { doc: [['1n', '1n', 'plans']], seat: [['1n', '1n', '1n']] })
  expect(ada.db.quarantine()).toMatchObject([{ reason: 'key', key: undefined }])
  expect((await ada.db.query("SELECT sql FROM sealdb_policies WHERE name = 'seats'")).rows).toHaveLength(1)
})

test.each([
  ['sealed', 'CREATE TABLE pay (id INTEGER PRIMARY KEY, amount)', (key: bigint, amount: bigint): Partial<RowImage> => ({ body: encodeBody([1, 2], [key, amount]) })],
  ['plaintext', 'CREATE TABLE pay (id INTEGER PRIMARY KEY PLAINTEXT, amount)', (key: bigint, amount: bigint): Partial<RowImage> => ({ plain: [key], body: encodeBody([2], [amount]) })],
])('a row of one’s own does not take the place of another’s: %s key', async (_, definition, image) => {
  const { ada, bob } = await two(`${definition}; CREATE POLICY open ON pay FOR INSERT WITH CHECK (1); CREATE POLICY own ON pay FOR UPDATE USING (row_creator(pay) = current_member()); INSERT INTO pay VALUES (1, 100)`)
  expect(await write(bob, 'pay', 'update', [1n], image(1n, 1n))).toBe('rejected')
  // An older row wins a collision; after Ada's next write his would be the older one.
  expect(await write(bob, 'pay', 'insert', [2n], image(1n, 1n))).toBe('relay')
  await inStep(ada, bob)
  await ada.db.query('UPDATE pay SET amount = 200')
  await inStep(ada, bob)
  await expectSame(ada, { pay: [['1n', '200n']] })
  expect(ada.db.quarantine()).toMatchObject([{ reason: 'key', key: undefined }])
  expect((await ada.db.query("SELECT amount FROM sealdb_history('pay') ORDER BY _entry")).rows).toEqual([{ amount: 100 }, { amount: null }, { amount: 200 }])
  // The key that he took is free for none but him; the error says so.
  expect(await codeOf(ada.db.query('INSERT INTO pay VALUES (2, 5)'))).toBe('rejected')
  await ada.db.query('INSERT INTO pay VALUES (3, 300)')
  await inStep(ada, bob)
  await expectSame(ada, { pay: [['1n', '200n'], ['3n', '300n']] })
})

test.each(['ON big (lower(v))', "ON big (v) WHERE v > ''"])('rows that collide where only SQLite looks (%s) are seen alike by who has some rows and who has all', async (index) => {
  const { ada, bob } = await two(`CREATE TABLE big (id INTEGER PRIMARY KEY, v TEXT); CREATE UNIQUE INDEX u ${index};
    WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 1500) INSERT INTO big SELECT n, 'v' || n FROM i`)
  expect(await write(bob, 'big', 'insert', [5000n], { body: encodeBody([1, 2], [5000n, 'v7']) })).toBe('relay')
  await inStep(ada, bob)
  expect((await ada.db.query('SELECT id FROM big WHERE id + 0 IN (7, 5000)')).rows).toEqual([{ id: 7 }])
  expect(ada.db.quarantine()).toMatchObject([{ reason: 'unique', key: [5000n] }])
  const anew = await Database.open(ada.space)
  expect((await anew.query('SELECT id FROM big WHERE id = 5000')).rows).toEqual([])
  expect((await anew.query('SELECT id FROM big WHERE id = 7')).rows).toEqual([{ id: 7 }])
  await anew.close()
})

test('a row whose tokens are of other values than its columns takes no unique place, and is not found one way and missed another', async () => {
  const { ada, bob } = await two("CREATE TABLE person (id INTEGER PRIMARY KEY, mail TEXT UNIQUE, tag TEXT BLIND); INSERT INTO person VALUES (1, 'ada@x', 'a')")
  const row = (id: bigint, mail: string, said: string, tag: string): Partial<RowImage> => ({ blind: [[said], [tag]], body: encodeBody([1, 2, 3], [id, mail, 'b']) })
  expect(await write(bob, 'person', 'insert', [2n], row(2n, 'ada@x', 'ada@x', 'b'))).toBe('rejected')
  expect(await write(bob, 'person', 'insert', [2n], row(2n, 'ada@x', 'bob@x', 'b'))).toBe('relay')
  expect(await write(bob, 'person', 'insert', [3n], row(3n, 'eve@x', 'eve@x', 'hidden'))).toBe('relay')
  await inStep(ada, bob)
  await ada.db.query("UPDATE person SET tag = 'new'")
  await inStep(ada, bob)
  await expectSame(ada, { person: [['1n', 'ada@x', 'new']] })
  expect(ada.db.quarantine().map(({ reason }) => reason)).toEqual(['index', 'index'])
})

test('a plaintext key that is too long for any is no key', async () => {
  const { ada, bob } = await two('CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL PLAINTEXT, v); INSERT INTO t VALUES (\'a\', 1)')
  expect(await write(bob, 't', 'insert', ['b'], { plain: ['b'.repeat(1_000)], body: encodeBody([2], [1n]) })).toBe('relay')
  await inStep(ada, bob)
  await expectSame(ada, { t: [['a', '1n']] })
})

test('bodies that are none stop neither writes, nor history, nor definitions', async () => {
  const { ada, bob } = await two("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v); CREATE TABLE u (a UNIQUE, b); INSERT INTO t (v) VALUES ('a'); INSERT INTO u VALUES (1, 2)")
  const sequence = tableOf(bob, 'sqlite_sequence')
  for (const name of ['t', 'sqlite_sequence']) expect(await write(bob, name, 'insert', [77n], {})).toBe('relay')
  expect(sequence.name).toBe('sqlite_sequence')
  await inStep(ada, bob)
  await ada.db.exec("INSERT INTO t (v) VALUES ('b'); INSERT INTO u VALUES (2, 3); CREATE TABLE more (v); CREATE INDEX i ON t (v)")
  await inStep(ada, bob)
  expect((await ada.db.query("SELECT id, v FROM sealdb_history('t') WHERE v IS NOT NULL ORDER BY id")).rows).toEqual([{ id: 1, v: 'a' }, { id: 2, v: 'b' }])
  expect((await ada.db.query('SELECT count(*) AS n FROM sealdb_quarantine')).rows).toEqual([{ n: 2 }])
  await inStep(ada, bob)
  await expectSame(ada, { t: [['1n', 'a'], ['2n', 'b']], sqlite_sequence: [['t', '2n']] })
})

test('a policy that reads what never was stops nobody’s definitions, and is shown', async () => {
  const { ada, bob } = await two('CREATE TABLE t (v)')
  await bob.db.query('CREATE TABLE own (v PLAINTEXT)')
  const own = tableOf(bob, 'own')
  const policies: Policy[] = [
    { name: Uint8Array.of(0xff, 0x00), command: 'all', roles: [], using: { kind: 'exists', table: 9_999, prefix: [] } },
    { name: Uint8Array.of(), command: 'all', roles: [], using: { kind: 'exists', table: own.id, index: 60_000, prefix: [{ kind: 'constant', value: null }], where: { kind: 'column', of: 'other', column: 5_000 } } },
  ]
  const object = toCatalogObject({ ...own, data: { ...(own.data as NonNullable<typeof own.data>), shape: { ...(own.data as NonNullable<typeof own.data>).shape, policies } } })
  await (await bob.space.commit({ catalog: [{ kind: 'replace', object }], rows: [], reads: [] }, bob.space.current)).settled
  await inStep(ada, bob)
  expect((await ada.db.query('SELECT * FROM sealdb_policies')).rows).toHaveLength(2)
  await ada.db.exec('CREATE TABLE more (v); ALTER TABLE t ADD COLUMN w; DROP TABLE more; CREATE POLICY p ON t FOR DELETE USING (1)')
  expect((await ada.db.export({ policies: true })).length).toBeGreaterThan(0)
  await ada.db.query('DROP TABLE own')
})
