/** Documents that several people edit at once, by a CRDT that is in use (Yjs), online and apart. */
import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { openSpace } from '../../engine/space/open.js'
import { Database } from '../../query/database.js'
import { documentsOf, type Documents, type SealedDocument } from '../../query/documents.js'
import { readSchema, toCatalogObject, findTable, type SchemaObject } from '../../query/catalog.js'
import { invited, startSync, until } from '../net/support.js'
import { optionsOf, seededRandom } from '../space/rim-support.js'
import { codeOf, newDatabase, shownAlike } from './database-support.js'
import { apart, expectEqual, inStep, peerOf, two, type Peer } from './peers-support.js'

let seeds = 0
const documents = ({ db }: { readonly db: Database }): Documents => documentsOf(db, seededRandom(`documents ${seeds++}`))

/** An editor's text, kept in step with the document. */
class Editor {
  readonly doc = new Y.Doc()
  readonly #document: SealedDocument
  #writing: Promise<void> = Promise.resolve()
  constructor(peer: Peer, name: string) {
    const document = documents(peer).open(name)
    this.#document = document
    document.subscribe((parts) => { for (const part of parts) Y.applyUpdate(this.doc, part, document) })
    this.doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== document) this.#writing = this.#writing.then(() => document.append(update))
    })
  }
  get text(): string {
    return this.doc.getText('text').toString()
  }
  async type(at: number, text: string): Promise<void> {
    this.doc.getText('text').insert(at, text)
    await this.#writing
  }
  compact(): Promise<boolean> {
    return this.#document.compact((parts) => Y.mergeUpdates([...parts]))
  }
}

/** As a newcomer reads it. */
async function read(peer: { readonly db: Database }, name: string): Promise<string> {
  const doc = new Y.Doc()
  for (const part of await documents(peer).open(name).read()) Y.applyUpdate(doc, part)
  return doc.getText('text').toString()
}

const partsOf = async (peer: Peer): Promise<unknown> => (await documents(peer).list()).map(({ name, parts }) => [name, parts])

test('two people write in one text, at once and apart; a third reads it', async () => {
  const { ada, bob, relay } = await two('CREATE TABLE t (v)')
  const [a, b] = [new Editor(ada, 'notes'), new Editor(bob, 'notes')]
  expect(await documents(ada).list()).toEqual([])
  await a.type(0, 'hello world')
  await until(() => b.text === 'hello world', 'bob sees it')
  await apart([ada, bob], async () => {
    await a.type(0, 'Ada: ')
    for (const letter of ['!', '?']) await b.type(b.text.length, letter)
  })
  await until(() => a.text === b.text && a.text.length === 18, 'one text')
  expect(a.text).toBe('Ada: hello world!?')
  await inStep(ada, bob)
  const cleo = await peerOf(await invited(relay, ada, 'cleo', 'reader'))
  expect(await read(cleo, 'notes')).toBe(a.text)
  expect(await partsOf(ada)).toEqual([['notes', 4]])
  await expectEqual(ada, bob, cleo)
  expect([...ada.lost, ...bob.lost]).toEqual([])
})

test('the first documents are made apart by two, one of whom is started anew meanwhile: the table is one, both are there', async () => {
  const { ada, bob, relay } = await two('CREATE TABLE t (v)', 'writer')
  for (const { sync } of [ada, bob]) await sync.stop()
  await documents(ada).open('a').append(new Uint8Array([1]), new Uint8Array([2]))
  await documents(bob).open('b').append(new Uint8Array([3]))
  await documents(bob).open('a').append(new Uint8Array([4]))
  await bob.db.close()
  await bob.space.close()
  const space = await openSpace(await bob.location.open(), optionsOf('bob again'))
  const again = await peerOf({ space, location: bob.location, sync: startSync(space, relay.dial, 'bob again') })
  ada.sync.start()
  await expectEqual(ada, again)
  expect([...ada.lost, ...again.lost]).toEqual([])
  for (const peer of [ada, again]) {
    expect((await documents(peer).open('a').read()).map(([byte]) => byte).sort()).toEqual([1, 2, 4])
    expect(await documents(peer).open('b').read()).toEqual([new Uint8Array([3])])
  }
})

test('snapshots take the place of what they hold: two at once, and of nothing that was written meanwhile', async () => {
  const { ada, bob } = await two('CREATE TABLE t (v)')
  const [a, b] = [new Editor(ada, 'notes'), new Editor(bob, 'notes')]
  for (const word of ['one ', 'two ', 'three ']) await a.type(a.text.length, word)
  await until(() => b.text === 'one two three ', 'bob has all')
  await inStep(ada, bob)
  await apart([ada, bob], async () => {
    await a.type(a.text.length, 'ada ')
    expect(await a.compact()).toBe(true)
    await b.type(0, 'bob ')
    expect(await b.compact()).toBe(true)
    await a.type(0, 'late ')
  })
  await expectEqual(ada, bob)
  await until(() => a.text === b.text, 'one text')
  for (const word of ['one', 'two', 'three', 'ada', 'bob', 'late']) expect(a.text).toContain(word)
  expect(await read(ada, 'notes')).toBe(a.text)
  expect([...ada.lost, ...bob.lost]).toEqual([])
  await a.compact()
  await inStep(ada, bob)
  expect(await partsOf(bob)).toEqual([['notes', 1]])
  expect(await a.compact()).toBe(false)
  expect(await read(bob, 'notes')).toBe(a.text)
})

test('parts come in the order of what they build on; deleting takes what is there', async () => {
  const { ada, bob } = await two('CREATE TABLE t (v)')
  const [a, b] = [documents(ada).open('x'), documents(bob).open('x')]
  for (let i = 0; i < 6; i++) {
    await (i % 2 === 0 ? a : b).append(new Uint8Array([i]))
    await inStep(ada, bob)
  }
  expect((await a.read()).map(([byte]) => byte)).toEqual([0, 1, 2, 3, 4, 5])
  await apart([ada, bob], async () => {
    await documents(ada).delete('x')
    await b.append(new Uint8Array([6]))
  })
  await expectEqual(ada, bob)
  expect(await a.read()).toEqual([new Uint8Array([6])])
})

test('a policy keeps others from compacting; readers append nothing; bad arguments say so', async () => {
  const { ada, bob } = await two('CREATE TABLE t (v)')
  await documents(ada).open('x').append(new Uint8Array([1]), new Uint8Array([2]))
  await ada.db.exec("CREATE POLICY keep ON sealdb_documents FOR DELETE USING (current_role() IN ('owner', 'admin')); CREATE POLICY put ON sealdb_documents FOR INSERT WITH CHECK (TRUE)")
  await inStep(ada, bob)
  const b = documents(bob).open('x')
  expect(await codeOf(b.compact((parts) => parts[0] as Uint8Array))).toBe('rejected')
  await b.append(new Uint8Array([3]))
  await inStep(ada, bob)
  expect((await b.read()).length).toBe(3)
  expect(() => documents(bob).open('')).toThrow('Expected the name')
  expect(() => documents(bob).open('é'.repeat(101))).toThrow('Expected the name')
  await documents(bob).open('é'.repeat(100)).append(new Uint8Array(0))
  expect(await codeOf(b.append('text' as unknown as Uint8Array))).toBe('bad-argument')
  const readers = await two('CREATE TABLE t (w)', 'reader')
  expect(await codeOf(documents(readers.bob).open('x').append(new Uint8Array([1])))).toBe('rejected')
  expect(await documents(readers.bob).open('x').read()).toEqual([])
})

test('of one document only its parts are opened', async () => {
  const { db, space, close } = await newDatabase('documents')
  for (const name of ['a', 'b', 'c']) await documents({ db }).open(name).append(...[1, 2, 3].map((byte) => new Uint8Array([byte])))
  const anew = await Database.open(space, { loadInParts: 0 })
  expect((await documents({ db: anew }).open('b').read()).length).toBe(3)
  expect(anew.counters.rowsOpened).toBe(3)
  await anew.close()
  await close()
})

test('a plain file takes them along', async () => {
  const [from, to] = [await newDatabase('documents from'), await newDatabase('documents to')]
  await documents(from).open('a').append(new Uint8Array([1]), new Uint8Array([2]))
  await to.db.import(await from.db.export())
  expect(await documents(to).open('a').read()).toEqual(await documents(from).open('a').read())
  expect((await to.db.query("SELECT name, visibility FROM sealdb_columns WHERE \"table\" = 'sealdb_documents'")).rows).toEqual((await from.db.query("SELECT name, visibility FROM sealdb_columns WHERE \"table\" = 'sealdb_documents'")).rows)
  await from.close()
  await to.close()
})

test('a table of that name that shows documents to the relay, or watches them, is none', async () => {
  const { ada, bob } = await two('CREATE TABLE t (part BLOB NOT NULL PRIMARY KEY, document TEXT NOT NULL PLAINTEXT, at INTEGER NOT NULL, body BLOB NOT NULL PLAINTEXT) WITHOUT ROWID')
  const model = findTable(readSchema(bob.space.current).schema, 't') as SchemaObject
  const view = bob.space.current
  const id = view.nextObject
  const sql = model.sql.replace('CREATE TABLE t', 'CREATE TABLE sealdb_documents')
  const committed = await bob.space.commit({ catalog: [{ kind: 'create', object: toCatalogObject({ ...model, id, name: 'sealdb_documents', table: 'sealdb_documents', sql }), name: 'name:sealdb_documents' }], rows: [], reads: [] }, view)
  expect((await committed.settled).kind).toBe('relay')
  await inStep(ada, bob)
  expect(readSchema(ada.space.current).broken).toEqual([{ id, reason: 'name' }])
  const a = documents(ada).open('secret')
  expect(await codeOf(a.append(new Uint8Array([1])))).toBe('rejected')
  expect(await a.read()).toEqual([])
  await ada.db.dropObject(id)
  await a.append(new Uint8Array([1]))
  await expectEqual(ada, bob)
  for (const text of ["CREATE TRIGGER watch AFTER INSERT ON sealdb_documents BEGIN INSERT INTO t VALUES (new.part, 'x', 1, new.body); END", 'CREATE UNIQUE INDEX one ON sealdb_documents (document)', 'ALTER TABLE sealdb_documents ADD COLUMN more', 'CREATE TABLE sealdb_other (v)']) {
    expect(await codeOf(ada.db.exec(text))).toBe('unsupported-sql')
  }
  await shownAlike(ada)
})
