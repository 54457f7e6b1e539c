/**
 * A thin client: a member's device that holds a verified head and no rows. It reads at the relay, and believes it nothing: each answer comes with a proof.
 *
 *     npx tsx examples/thin.ts
 */
import assert from 'node:assert/strict'
import { createSpace, joinSpace, memoryStore } from 'sealdb'
import { startRelay } from 'sealdb/relay'

const relay = await startRelay()
const ada = await createSpace({ store: memoryStore(), relay: relay.url, profile: { name: 'Ada' } })
await ada.exec(`
  CREATE TABLE reading (id INTEGER PRIMARY KEY, sensor INTEGER PLAINTEXT, value REAL NOT NULL);
  CREATE INDEX by_sensor ON reading (sensor);
  INSERT INTO reading (sensor, value) WITH n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2999) SELECT i % 50, i / 10.0 FROM n`)
await ada.settled()

// The display on the wall: no rows are stored on it, so none are lost with it.
const wall = await joinSpace(await ada.invite({ role: 'writer' }), { store: memoryStore(), profile: { name: 'wall' }, thin: true })
const { rows } = await wall.query('SELECT max(value) AS highest, count(*) AS readings FROM reading WHERE sensor = ?', [7])
console.log(rows, wall.fetched)
assert.deepEqual(rows, [{ highest: 295.7, readings: 60 }])
assert((wall.fetched?.bytes ?? 0) < 40_000) // 60 rows and their proofs, of 3,000

// What the relay would learn, before it is asked.
console.log((await wall.query('EXPLAIN VERIFIED SELECT value FROM reading WHERE id = 2321')).rows)

await wall.sql`INSERT INTO reading (id, sensor, value) VALUES (${1_000_000}, ${7}, ${512})`
await wall.settled()
assert.deepEqual((await wall.query('SELECT max(value) AS highest FROM reading WHERE sensor = 7')).rows, [{ highest: 512 }])

await wall.close()
await ada.close()
await relay.close()
