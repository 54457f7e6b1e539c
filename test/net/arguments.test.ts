/**
 * What callers get wrong, through the public interface as JavaScript has it: each is a typed error that says what was expected and found, and the space goes on.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  createSpace, isSealError, joinSpace, loadProvider, memoryStore, openReceipt, openSpace,
  type ParameterValue, type PreparedStatement, type Result, type SealedSpace, type SealError, type Sql, type SqlParameters,
} from 'sealdb'
import { fileStore } from 'sealdb/store/file'

let space: SealedSpace
beforeAll(async () => {
  space = await createSpace({ store: memoryStore(), profile: { name: 'Ada' } })
  await space.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT); INSERT INTO t VALUES (1, 'a')")
})
afterAll(() => space.close())

async function errorOf(work: () => unknown): Promise<SealError> {
  try {
    await work()
  } catch (error) {
    if (isSealError(error)) return error
    throw error
  }
  throw new Error('no error')
}

/** Types don't allow it. */
const wrong = (value: unknown): never => value as never
const id = '00'.repeat(32)

test.each<[string, (s: SealedSpace) => unknown, RegExp, string?]>([
  ['query()', (s) => s.query(wrong(undefined)), /SQL as text, found undefined/],
  ['query(5)', (s) => s.query(wrong(5)), /SQL as text, found a number/],
  ['exec()', (s) => s.exec(wrong(undefined)), /SQL as text, found undefined/],
  ['prepare(null)', (s) => s.prepare(wrong(null)), /SQL as text, found null/],
  ['sql without a template', (s) => s.sql(wrong('SELECT 1')), /template.*found text/],
  ['tx.sql without a template', (s) => s.transaction((tx) => tx.sql(wrong('SELECT 1'))), /template.*found text/],
  ['at(n).sql without a template', (s) => s.at(1).sql(wrong('SELECT 1')), /template.*found text/],
  ['parameters null', (s) => s.query('SELECT ?', wrong(null)), /parameters in a list.*found null/],
  ['parameters text', (s) => s.query('SELECT ?', wrong('x')), /parameters in a list.*found text/],
  ['names for ?', (s) => s.query('SELECT ?', { a: 1 }), /parameters in a list: the statement has some without a name/],
  ['transaction()', (s) => s.transaction(wrong(undefined)), /as a function.*found undefined/],
  ['batch of text', (s) => s.batch(wrong('SELECT 1')), /a list of statements, found text/],
  ['live that writes', (s) => s.live("INSERT INTO t (x) VALUES ('again and again')"), /only reads/],
  ['history()', (s) => s.history(wrong(undefined)), /name of a table as text/],
  ['migrate of an object', (s) => s.migrate(wrong({})), /a list of migrations, found an object/],
  ['migrate without up', (s) => s.migrate([wrong({ version: 1 })]), /what migration 1 does, `up`/],
  ['import of text', (s) => s.import(wrong('x')), /a SQLite file as bytes.*found text/],
  ['on an unknown event', (s) => s.on(wrong('alarm'), () => undefined), /an event \(alert, state, settle\)/],
  ['on without a listener', (s) => s.on('alert', wrong(undefined)), /a listener, found undefined/],
  ['invite()', (s) => s.invite(wrong(undefined)), /what the invitation is for/],
  ['invite a king', (s) => s.invite({ role: wrong('king') }), /a role \(reader, writer, admin, owner\)/],
  ['setRole king', (s) => s.setRole(s.me.id, wrong('king')), /a role \(reader/],
  ['setProfile()', (s) => s.setProfile(wrong(undefined)), /names, \{ name\?, device\? \}, found undefined/],
  ['setProfile of a number', (s) => s.setProfile({ name: wrong(5) }), /a name as text, found a number/],
  ['remove oneself', (s) => s.remove(s.me.id), /`leave`/],
  ['remove nobody', (s) => s.remove(99), /no such member/, 'rejected'],
  ['removeDevice nobody', (s) => s.removeDevice(99), /no such device/, 'rejected'],
  ['revoke nothing', (s) => s.revokeInvitation(99), /no such invitation/, 'rejected'],
  ['the last owner leaves', (s) => s.leave(), /needs an owner/, 'rejected'],
  ['files.put of text', (s) => s.files.put(wrong('hello')), /content of a file.*found text/],
  ['files.put of an ArrayBuffer', (s) => s.files.put(wrong(new ArrayBuffer(3))), /found an object of ArrayBuffer/],
  ['files.put of lists', (s) => s.files.put(wrong([[1, 2]])), /pieces of bytes.*found a list/],
  ['files.put of a number as its name', (s) => s.files.put(new Uint8Array(1), { name: wrong(5) }), /name of a file as text/],
  ['files.get()', (s) => s.files.get(wrong(undefined)), /id of a file as text, found undefined/],
  ['presence.send of text', (s) => s.presence.send(wrong('hello')), /a message as bytes.*found text/],
  ['joinSpace()', () => joinSpace(wrong(undefined), { store: memoryStore() }), /an invitation link/, 'bad-link'],
  ['createSpace()', () => createSpace(wrong(undefined)), /options.*found undefined/],
  ['openSpace of a path', () => openSpace({ store: wrong('./team') }), /a store: fileStore\(directory\).*found text/],
  ['joinSpace without a store', () => joinSpace('x#y', wrong({})), /a store: fileStore.*found undefined/],
  ['createSpace with a provider’s name', () => createSpace({ store: memoryStore(), crypto: wrong('noble') }), /provider.*found text/],
  ['fileStore()', () => fileStore(wrong(undefined)), /path of a directory as text/],
  ['openReceipt without trust', () => openReceipt(new Uint8Array(3), wrong(undefined)), /whom to trust/],
  ['loadProvider of another', () => loadProvider(wrong('openssl')), /auto, node, sodium or noble/],
  ['openReceipt of nothing', (s) => openReceipt(new Uint8Array(3), { spaceId: s.id }), /a receipt of version 1/, 'unsupported-version'],
])('%s', async (_, work, message, code = 'bad-argument') => {
  const { size } = space.head
  const error = await errorOf(() => work(space))
  expect(error.message).toMatch(message)
  expect(error.code).toBe(code)
  expect((await space.sql`SELECT x FROM t`).rows).toEqual([{ x: 'a' }])
  expect(space.head.size).toBe(size)
})

test('a closed space says that it is closed, and begins nothing', async () => {
  const closed = await createSpace({ store: memoryStore() })
  await closed.exec('CREATE TABLE t (id INTEGER PRIMARY KEY)')
  await closed.close()
  const calls: Record<string, () => unknown> = {
    query: () => closed.query('SELECT 1'),
    transaction: () => closed.transaction(() => Promise.resolve()),
    batch: () => closed.batch(['SELECT 1']),
    migrate: () => closed.migrate([{ version: 1, up: 'SELECT 1' }]),
    history: () => closed.history('t'),
    dropObject: () => closed.dropObject(1),
    export: () => closed.export(),
    import: () => closed.import(new Uint8Array(0)),
    invite: () => closed.invite({ role: 'reader' }),
    connect: () => closed.connect(),
    append: () => closed.documents.open('plan').append(new Uint8Array(1)),
  }
  for (const [name, call] of Object.entries(calls)) expect((await errorOf(call)).message, name).toMatch(/was closed/)
  expect((await errorOf(() => closed.files.get(id))).code).toBe('unavailable')
  await closed.close()
})

test('closing that fails gives the store back all the same', async () => {
  const store = memoryStore()
  const failing = await createSpace({ store })
  Object.assign(failing.db, { close: () => Promise.reject(new Error('the disk is on fire')) })
  await expect(failing.close()).rejects.toThrow('the disk is on fire')
  await (await openSpace({ store })).close()
})

test('a store that can’t be opened is named, with the reason; one whose snapshot is damaged closes, and opens again', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sealdb-arguments-'))
  try {
    const file = join(directory, 'file')
    await writeFile(file, 'not a directory')
    for (const [begin, errno] of [[openSpace, 'ENOTDIR'], [createSpace, 'EEXIST']] as const) {
      const error = await errorOf(() => begin({ store: fileStore(file) }))
      expect(error).toMatchObject({ code: 'store-failed', facts: { step: 'opening', errno } })
      expect(error.message).toContain(`${file} can’t be opened: there is a file where its directory should be`)
    }

    const store = fileStore(join(directory, 'team'))
    const team = await createSpace({ store })
    await team.exec("CREATE TABLE t (x); INSERT INTO t VALUES ('kept')")
    await team.close()
    await writeFile(join(directory, 'team', 'snapshot'), 'garbage, but only a shortcut')
    for (let i = 0; i < 2; i++) {
      const again = await openSpace({ store })
      const alerts: string[] = []
      again.on('alert', ({ code }) => alerts.push(code))
      expect((await again.sql`SELECT x FROM t`).rows).toEqual([{ x: 'kept' }])
      expect(alerts).toEqual(['tampered'])
      await again.close()
    }
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('what SQL takes and gives has types with names, to write functions over', async () => {
  const add = (tx: Sql, parameters: SqlParameters): Promise<Result<{ id: number }>> => tx.query('INSERT INTO t (x) VALUES (?) RETURNING id', parameters)
  const first = (statement: PreparedStatement<{ x: string }>, options: readonly ParameterValue[]): string | undefined => {
    const row = statement.getSync(options)
    return typeof row === 'symbol' ? undefined : row?.x
  }
  const other = await createSpace({ store: memoryStore() })
  await other.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)')
  expect((await other.transaction((tx) => add(tx, ['b']))).rows).toEqual([{ id: 1 }])
  const statement = other.prepare<{ x: string }>('SELECT x FROM t WHERE id = ?')
  await statement.get([1])
  expect(first(statement, [1])).toBe('b')
  await other.close()
})
