/** The data of the journeys: people and their tasks, the same in SealDB and in its peers. */
import type { Database as SqlJs } from 'sql.js'
import type { SealedSpace } from 'sealdb'

const SCHEMA = [
  'CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT NOT NULL)',
  'CREATE TABLE task (id INTEGER PRIMARY KEY, title TEXT NOT NULL, hours INTEGER, owner INTEGER, note TEXT)',
] as const
const PEOPLE = 100
export const INSERT_TASK = 'INSERT INTO task VALUES (?, ?, ?, ?, ?)'
const INSERT_PERSON = 'INSERT INTO person VALUES (?, ?)'
const NOTE = 'Some words on how it is to be done, who knows about it, and why it can not wait. '.repeat(2)

/** About 200 bytes. */
export function taskRow(id: number): [number, string, number, number, string] {
  return [id, `task number ${id}`, (id * 7919) % 97, (id * 31) % PEOPLE, NOTE]
}

/** `batch` rows a transaction. */
export async function fillSpace(space: SealedSpace, tasks: number, batch = 10_000): Promise<void> {
  for (const sql of SCHEMA) await space.query(sql)
  await space.transaction(async (tx) => {
    for (let i = 0; i < PEOPLE; i++) await tx.query(INSERT_PERSON, [i, `person ${i}`])
  })
  for (let from = 0; from < tasks; from += batch) await insertTasks(space, from, Math.min(batch, tasks - from))
}

export async function insertTasks(space: SealedSpace, from: number, count: number): Promise<void> {
  await space.transaction(async (tx) => {
    for (let i = from; i < from + count; i++) await tx.query(INSERT_TASK, taskRow(i))
  })
}

export function fillSqlJs(db: SqlJs, tasks: number): void {
  for (const sql of SCHEMA) db.run(sql)
  db.run('BEGIN')
  const person = db.prepare(INSERT_PERSON)
  for (let i = 0; i < PEOPLE; i++) person.run([i, `person ${i}`])
  person.free()
  db.run('COMMIT')
  insertSqlJs(db, 0, tasks)
}

export function insertSqlJs(db: SqlJs, from: number, count: number): void {
  db.run('BEGIN')
  const task = db.prepare(INSERT_TASK)
  for (let i = from; i < from + count; i++) task.run(taskRow(i))
  task.free()
  db.run('COMMIT')
}
