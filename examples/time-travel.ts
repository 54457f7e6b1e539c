/**
 * Time travel: any earlier state, recomputed from the log and compared with the roots that were verified.
 *
 *     npx tsx examples/time-travel.ts
 */
import assert from 'node:assert/strict'
import { createSpace, memoryStore } from 'sealdb'

const space = await createSpace({ store: memoryStore(), profile: { name: 'Ada' } })
await space.exec('CREATE TABLE account (name TEXT PRIMARY KEY, balance INTEGER NOT NULL)')
await space.sql`INSERT INTO account VALUES (${'Ada'}, ${100}), (${'Bob'}, ${0})`

// A state is named by the number of entries before it.
const before = space.head.size
await space.transaction(async (tx) => {
  await tx.sql`UPDATE account SET balance = balance - 30 WHERE name = ${'Ada'}`
  await tx.sql`UPDATE account SET balance = balance + 30 WHERE name = ${'Bob'}`
})

const { rows } = await space.query<{ name: string; was: number; now: number }>(`
  SELECT now.name, past.balance AS was, now.balance AS now
  FROM account AS now JOIN account AS OF ${before} AS past USING (name) ORDER BY name`)
console.log(rows)
assert.deepEqual(rows, [{ name: 'Ada', was: 100, now: 70 }, { name: 'Bob', was: 0, now: 30 }])

await space.close()
