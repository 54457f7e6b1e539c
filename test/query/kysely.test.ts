import * as kysely from 'kysely'
import { Kysely, Migrator, sql, type Generated } from 'kysely'
import { jsonArrayFrom } from 'kysely/helpers/sqlite'
import { expect, test } from 'vitest'
import { kyselyDialect } from '../../query/kysely.js'
import { codeOf, newDatabase } from './database-support.js'

interface Tables {
  person: { id: Generated<number>; name: string; born: number | null }
  pet: { id: Generated<number>; owner: number; name: string; tags: string | null }
}

async function start(): Promise<{ k: Kysely<Tables>; opened: Awaited<ReturnType<typeof newDatabase>> }> {
  const opened = await newDatabase('kysely', `
    CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE PLAINTEXT, born INTEGER BLIND);
    CREATE TABLE pet (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL REFERENCES person(id), name TEXT NOT NULL, tags TEXT);
    CREATE VIEW old AS SELECT name FROM person WHERE born < 1900;
  `)
  return { k: new Kysely<Tables>({ dialect: kyselyDialect(opened.db, kysely) }), opened }
}

test('queries: RETURNING, ON CONFLICT, joins, JSON, counts', async () => {
  const { k, opened } = await start()
  const ada = await k.insertInto('person').values({ name: 'Ada', born: 1815 }).returning(['id', 'name']).executeTakeFirstOrThrow()
  expect(ada).toEqual({ id: 1, name: 'Ada' })
  const inserted = await k.insertInto('person').values([{ name: 'Alan', born: 1912 }, { name: 'Grace', born: null }]).executeTakeFirst()
  expect(inserted).toMatchObject({ insertId: 3n, numInsertedOrUpdatedRows: 2n })
  await k.insertInto('person').values({ name: 'Ada', born: 1 }).onConflict((c) => c.column('name').doUpdateSet((eb) => ({ born: eb.ref('excluded.born') }))).execute()
  await k.insertInto('pet').values([{ owner: 1, name: 'Tom', tags: JSON.stringify(['a', 'b']) }, { owner: 1, name: 'Kim', tags: null }]).execute()
  const people = await k.selectFrom('person').select((eb) => ['person.name', jsonArrayFrom(eb.selectFrom('pet').select('pet.name').whereRef('pet.owner', '=', 'person.id').orderBy('pet.name')).as('pets')]).orderBy('person.name').execute()
  expect(people.map(({ name, pets }) => [name, JSON.parse(pets as unknown as string)])).toEqual([['Ada', [{ name: 'Kim' }, { name: 'Tom' }]], ['Alan', []], ['Grace', []]])
  expect(await k.selectFrom('pet').select(sql<string>`tags ->> 1`.as('second')).where('name', '=', 'Tom').executeTakeFirst()).toEqual({ second: 'b' })
  expect((await k.updateTable('person').set({ born: 2 }).where('born', 'is not', null).executeTakeFirst()).numUpdatedRows).toBe(2n)
  expect((await k.deleteFrom('pet').executeTakeFirst()).numDeletedRows).toBe(2n)
  const rows: unknown[] = []
  for await (const row of k.selectFrom('person').select('name').orderBy('id').stream()) rows.push(row)
  expect(rows).toEqual([{ name: 'Ada' }, { name: 'Alan' }, { name: 'Grace' }])
  await k.destroy()
  await opened.close()
})

test('transactions: commit, rollback, savepoints, and others wait', async () => {
  const { k, opened } = await start()
  await k.transaction().execute(async (tx) => {
    await tx.insertInto('person').values({ name: 'in' }).execute()
  })
  await expect(k.transaction().execute(async (tx) => {
    await tx.insertInto('person').values({ name: 'out' }).execute()
    throw new Error('no')
  })).rejects.toThrow('no')
  const names = async (): Promise<string[]> => (await k.selectFrom('person').select('name').orderBy('id').execute()).map(({ name }) => name)
  expect(await names()).toEqual(['in'])
  const tx = await k.startTransaction().execute()
  const waiting = names()
  const one = await tx.savepoint('one').execute()
  await one.insertInto('person').values({ name: 'gone' }).execute()
  await one.rollbackToSavepoint('one').execute()
  await one.insertInto('person').values({ name: 'stays' }).execute()
  await one.releaseSavepoint('one').execute()
  await tx.commit().execute()
  expect(await waiting).toEqual(['in', 'stays'])
  await Promise.all([1, 2, 3].map((i) => k.transaction().execute(async (each) => { await each.insertInto('person').values({ name: `p${i}` }).execute() })))
  expect(await names()).toEqual(['in', 'stays', 'p1', 'p2', 'p3'])
  expect(await codeOf(k.transaction().setIsolationLevel('read uncommitted').execute(() => Promise.resolve()))).toBe('bad-argument')
  // An error leaves the connection usable.
  expect(await codeOf(k.insertInto('person').values({ name: 'in' }).execute())).toBe('sql-error')
  expect(await names()).toHaveLength(5)
  await opened.close()
})

test('what a transaction waits for beside itself is refused after a while, and all goes on', async () => {
  const { opened } = await start()
  const k = new Kysely<Tables>({ dialect: kyselyDialect(opened.db, kysely, { busyTimeout: 30 }) })
  const names = (): Promise<{ name: string }[]> => k.selectFrom('person').select('name').execute()
  await expect(k.transaction().execute(async (trx) => {
    await trx.insertInto('person').values({ name: 'undone' }).execute()
    return names()
  })).rejects.toMatchObject({ code: 'sql-error', facts: { name: 'SQLITE_BUSY' } })
  expect(await names()).toEqual([])
  await k.transaction().execute((trx) => trx.insertInto('person').values({ name: 'done' }).execute())
  expect(await names()).toEqual([{ name: 'done' }])
  await opened.close()
})

test('inside a transaction of the database', async () => {
  const { opened } = await start()
  await opened.db.transaction(async (tx) => {
    const k = new Kysely<Tables>({ dialect: kyselyDialect(tx, kysely) })
    await k.insertInto('person').values({ name: 'both' }).execute()
    expect(await codeOf(k.transaction().execute(() => Promise.resolve()))).toBe('bad-argument')
  })
  expect((await opened.db.query('SELECT name FROM person')).rows).toEqual([{ name: 'both' }])
  await opened.close()
})

test('introspection shows the schema without our words', async () => {
  const { k, opened } = await start()
  const tables = await k.introspection.getTables()
  expect(tables.map(({ name, isView }) => [name, isView])).toEqual([['old', true], ['person', false], ['pet', false]])
  expect(tables[1]?.columns).toEqual([
    expect.objectContaining({ name: 'id', dataType: 'INTEGER', isAutoIncrementing: true }),
    expect.objectContaining({ name: 'name', dataType: 'TEXT', isNullable: false }),
    expect.objectContaining({ name: 'born', dataType: 'INTEGER', isNullable: true }),
  ])
  const { rows } = await sql<{ sql: string }>`SELECT sql FROM sqlite_master WHERE name = 'person'`.execute(k)
  expect(rows[0]?.sql).not.toMatch(/PLAINTEXT|BLIND/)
  await opened.close()
})

test('migrations run once, in order, with our words', async () => {
  const opened = await newDatabase('kysely-migrations')
  const k = new Kysely<Record<string, never>>({ dialect: kyselyDialect(opened.db, kysely) })
  const migrator = new Migrator({
    db: k,
    provider: {
      getMigrations: () => Promise.resolve({
        '1': { up: async (db) => {
          await db.schema.createTable('note').addColumn('id', 'integer', (c) => c.primaryKey()).addColumn('text', 'text', (c) => c.notNull()).execute()
        } },
        '2': { up: async (db) => {
          await db.schema.alterTable('note').addColumn('state', 'text', (c) => c.modifyEnd(sql`PLAINTEXT`)).execute()
          await db.schema.createIndex('note_state').on('note').column('state').execute()
        } },
      }),
    },
  })
  const { error, results } = await migrator.migrateToLatest()
  expect(error).toBeUndefined()
  expect(results?.map(({ migrationName, status }) => [migrationName, status])).toEqual([['1', 'Success'], ['2', 'Success']])
  expect((await migrator.migrateToLatest()).results).toEqual([])
  const table = opened.space.current.catalog.find(({ table: shape }) => shape?.plain.length === 1)
  expect(table?.table?.indexes).toHaveLength(1)
  await opened.close()
})
