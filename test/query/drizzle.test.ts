import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { desc, eq, sql } from 'drizzle-orm'
import { blob, integer, real, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { drizzle } from 'drizzle-orm/sqlite-proxy'
import { migrate } from 'drizzle-orm/sqlite-proxy/migrator'
import { relations } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { drizzleBatch, drizzleCallback } from '../../query/drizzle.js'
import { newDatabase } from './database-support.js'

const person = sqliteTable('person', {
  id: integer('id').primaryKey(),
  name: text('name').notNull().unique(),
  born: integer('born', { mode: 'timestamp' }),
  alive: integer('alive', { mode: 'boolean' }).notNull().default(true),
  weight: real('weight'),
  big: blob('big', { mode: 'bigint' }),
  data: text('data', { mode: 'json' }).$type<{ readonly a: number }>(),
})
const pet = sqliteTable('pet', { id: integer('id').primaryKey(), owner: integer('owner').notNull().references(() => person.id), name: text('name').notNull() })
const schema = { person, pet, personRelations: relations(person, ({ many }) => ({ pets: many(pet) })), petRelations: relations(pet, ({ one }) => ({ person: one(person, { fields: [pet.owner], references: [person.id] }) })) }

const DDL = `
  CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE PLAINTEXT, born INTEGER, alive INTEGER NOT NULL DEFAULT 1, weight REAL, big BLOB, data TEXT);
  CREATE TABLE pet (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL REFERENCES person(id), name TEXT NOT NULL BLIND);
`

async function start(): Promise<{ d: ReturnType<typeof drizzle<typeof schema>>; opened: Awaited<ReturnType<typeof newDatabase>> }> {
  const opened = await newDatabase('drizzle', DDL)
  return { d: drizzle(drizzleCallback(opened.db), drizzleBatch(opened.db), { schema }), opened }
}

test('queries: RETURNING, ON CONFLICT, modes of columns, JSON, relations', async () => {
  const { d, opened } = await start()
  const born = new Date(1_000_000_000_000)
  const [ada] = await d.insert(person).values({ name: 'Ada', born, weight: 60, data: { a: 1 }, big: 12345678901234567890n }).returning()
  expect(ada).toEqual({ id: 1, name: 'Ada', born, alive: true, weight: 60, data: { a: 1 }, big: 12345678901234567890n })
  await d.insert(person).values({ name: 'Ada', alive: false }).onConflictDoUpdate({ target: person.name, set: { alive: sql`excluded.alive` } })
  expect(await d.select({ name: person.name, a: sql<number>`${person.data} ->> 'a'` }).from(person).where(eq(person.alive, false)).get()).toEqual({ name: 'Ada', a: 1 })
  expect(await d.select().from(person).where(eq(person.name, 'nobody')).get()).toBeUndefined()
  await d.insert(pet).values([{ owner: 1, name: 'Tom' }, { owner: 1, name: 'Kim' }])
  expect(await d.select({ name: pet.name }).from(pet).innerJoin(person, eq(person.id, pet.owner)).orderBy(desc(pet.name)).all()).toEqual([{ name: 'Tom' }, { name: 'Kim' }])
  const found = await d.query.person.findFirst({ with: { pets: { columns: { name: true } } }, columns: { name: true } })
  expect(found).toEqual({ name: 'Ada', pets: [{ name: 'Tom' }, { name: 'Kim' }] })
  await d.update(pet).set({ name: 'Tim' }).where(eq(pet.id, 1))
  await d.delete(pet).where(eq(pet.id, 2))
  expect(await d.select({ name: pet.name }).from(pet).values()).toEqual([['Tim']])
  await opened.close()
})

test('transactions and batches', async () => {
  const { d, opened } = await start()
  await d.transaction(async (tx) => {
    await tx.insert(person).values({ name: 'in' })
    await tx.transaction(async (inner) => {
      await inner.insert(person).values({ name: 'gone' })
      inner.rollback()
    }).catch(() => undefined)
  })
  await expect(d.transaction(async (tx) => {
    await tx.insert(person).values({ name: 'out' })
    throw new Error('no')
  })).rejects.toThrow('no')
  const size = opened.space.head.size
  const [inserted, all] = await d.batch([d.insert(person).values({ name: 'batch' }).returning({ id: person.id }), d.select({ name: person.name }).from(person).orderBy(person.id)])
  expect(inserted).toEqual([{ id: 2 }])
  expect(all).toEqual([{ name: 'in' }, { name: 'batch' }])
  expect(opened.space.head.size).toBe(size + 1)
  await opened.db.transaction(async (tx) => {
    await drizzle(drizzleCallback(tx)).insert(person).values({ name: 'both' })
  })
  expect(await d.$count(person)).toBe(3)
  await opened.close()
})

test('migrations from a folder run once', async () => {
  const opened = await newDatabase('drizzle-migrations')
  const d = drizzle(drizzleCallback(opened.db))
  const folder = mkdtempSync(join(tmpdir(), 'drizzle-'))
  mkdirSync(join(folder, 'meta'))
  writeFileSync(join(folder, 'meta/_journal.json'), JSON.stringify({ version: '7', dialect: 'sqlite', entries: [{ idx: 0, version: '6', when: 1, tag: '0000_one', breakpoints: true }, { idx: 1, version: '6', when: 2, tag: '0001_two', breakpoints: true }] }))
  writeFileSync(join(folder, '0000_one.sql'), 'CREATE TABLE `note` (`id` integer PRIMARY KEY NOT NULL, `text` text BLIND);\n--> statement-breakpoint\nCREATE UNIQUE INDEX `note_text` ON `note` (`text`);')
  writeFileSync(join(folder, '0001_two.sql'), 'ALTER TABLE `note` ADD `state` text PLAINTEXT;')
  const run = async (queries: string[]): Promise<void> => {
    await opened.db.batch(queries)
  }
  await migrate(d, run, { migrationsFolder: folder })
  const size = opened.space.head.size
  await migrate(d, run, { migrationsFolder: folder })
  expect(opened.space.head.size).toBe(size)
  expect((await opened.db.query("SELECT name FROM pragma_table_info('note')")).rows).toEqual([{ name: 'id' }, { name: 'text' }, { name: 'state' }])
  await opened.close()
})
