/**
 * A space on one device: SQL, in this process, with every change a signed entry of a log.
 *
 *     npx tsx examples/quickstart.ts
 */
import assert from 'node:assert/strict'
import { createSpace, memoryStore } from 'sealdb'

const space = await createSpace({ store: memoryStore(), profile: { name: 'Ada' } })

await space.exec(`
  CREATE TABLE task (
    id      INTEGER PRIMARY KEY,
    title   TEXT NOT NULL,              -- sealed: the default
    project TEXT BLIND,                 -- sealed, and searchable for equality without download
    owner   INTEGER PLAINTEXT,          -- visible to the relay, usable in policies
    done    BOOLEAN NOT NULL DEFAULT FALSE
  );
  CREATE INDEX by_project ON task (project);
`)

// Values are bound, never pasted into the text.
const title = `Robert'); DROP TABLE task; --`
await space.sql`INSERT INTO task (title, project, owner) VALUES (${title}, ${'sealdb'}, ${space.me.id})`

// All or nothing, and one entry of the log.
await space.transaction(async (tx) => {
  await tx.sql`INSERT INTO task (title, project, owner) VALUES (${'write the tests'}, ${'sealdb'}, ${space.me.id})`
  await tx.sql`UPDATE task SET done = TRUE WHERE id = ${1}`
})

const { rows } = await space.sql<{ id: number; title: string }>`SELECT id, title FROM task WHERE NOT done ORDER BY id`
console.log(rows)
assert.deepEqual(rows, [{ id: 2, title: 'write the tests' }])

const { size, logRoot } = space.head
console.log(`${size} entries; every one of them is under this root: ${Buffer.from(logRoot).toString('hex')}`)

await space.close()
