/**
 * Random schemas and statements: what capture reports, applied to a copy as row images, makes the copy equal to the original. A failing seed prints itself.
 */
import { expect, test } from 'vitest'
import { isSealError } from '../../engine/errors.js'
import { type SqlValue } from '../../engine/codec/value.js'
import { Capture } from '../../query/capture.js'
import { TableImages } from '../../query/images.js'
import { canonicalKey, keyIdentity } from '../../query/keys.js'
import { openSqlite, type Sqlite } from '../../query/sqlite.js'
import { describeTable, type TableForm } from '../../query/sqlite/form.js'
import { quoteName } from '../../query/sqlite/names.js'
import { collected } from './capture-support.js'
import { makeSchema, makeStatement, Random } from './random-sql.js'

const sqlite = await openSqlite()

function dump(db: Sqlite, form: TableForm): SqlValue[][] {
  const names = [...form.columns.map(({ name }) => quoteName(name)), ...(form.keySlots.length === 0 ? form.keyNames : [])]
  return db.all(`SELECT ${names.join(', ')} FROM ${quoteName(form.name)} ORDER BY ${form.keyNames.join(', ')}`)
}

function byKey(db: Sqlite, form: TableForm): Map<string | number, SqlValue[]> {
  const rows = db.all(`SELECT ${[...form.keyNames, ...form.columns.map(({ name }) => quoteName(name))].join(', ')} FROM ${quoteName(form.name)}`)
  const count = form.keyNames.length
  return new Map(rows.map((row) => [keyIdentity(canonicalKey(row.slice(0, count), form.keyCollations)), row.slice(count)]))
}

function runSeed(seed: number, transactions: number): { readonly statements: number; readonly changes: number; readonly lost: number } {
  const random = new Random(seed)
  const schema = makeSchema(random)
  const [live, copy] = [sqlite.database(), sqlite.database()]
  const counts = { statements: 0, changes: 0, lost: 0 }
  try {
    for (const db of [live, copy]) {
      db.exec(schema.sql)
      db.exec('PRAGMA foreign_keys = ON')
    }
    const capture = new Capture(live, 5_000)
    const tables = schema.tables.map((name, i) => ({ id: i + 1, name: name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name }))
    capture.install(tables)
    const images = tables.map(({ name }) => new TableImages(copy, describeTable(copy, name), () => 0))
    for (let t = 0; t < transactions; t++) {
      live.exec('BEGIN')
      capture.begin()
      const ran: string[] = []
      for (let s = 1 + random.below(4); s > 0 && live.inTransaction; s--) {
        const sql = makeStatement(random, schema)
        ran.push(sql)
        counts.statements++
        try {
          live.run(sql)
        } catch (error) {
          if (isSealError(error, 'too-large')) continue // triggers can feed each other exponentially
          if (!isSealError(error, 'sql-error')) throw error
          if (error.facts['name'] === 'SQLITE_ERROR' && !/generated column|RAISE|cannot UPDATE|no such column: rowid|has no column named rowid|too many levels/.test(error.message) && error.message !== 'no') throw new Error(`bad statement ${sql}: ${error.message}`, { cause: error.cause })
        }
      }
      if (!live.inTransaction) {
        expect(() => collected(capture, { row: () => undefined })).toThrow('rolled the whole transaction back')
        counts.lost++
        continue
      }
      const base = images.map(({ form }) => byKey(copy, form))
      const deltas = collected(capture, { row: (table, key) => base[table - 1]?.get(keyIdentity(key)) })
      try {
        live.exec('COMMIT')
      } catch (error) {
        if (!isSealError(error, 'sql-error')) throw error
        live.exec('ROLLBACK')
        continue
      }
      counts.changes += deltas.length
      copy.exec('BEGIN')
      images.forEach((table, i) => table.apply(deltas.filter((delta) => delta.table === i + 1).map(({ key, after }) => ({ key, row: after, version: t }))))
      copy.exec('COMMIT')
      for (const { form, quarantinedCount } of images) {
        if (quarantinedCount !== 0) throw new Error(`quarantined in ${form.name}: ${String(images.flatMap((i) => [...i.quarantined()].map(({ key, row, reason }) => `${reason}: ${String(key)} → ${row.map((v) => `${typeof v} ${String(v)}`).join(', ')}`)))} after\n${ran.join(';\n')}`)
        const [expected, found] = [dump(live, form), dump(copy, form)]
        try {
          expect(found).toEqual(expected)
        } catch (error) {
          throw new Error(`table ${form.name} after\n${ran.join(';\n')}`, { cause: error })
        }
      }
    }
  } catch (cause) {
    throw new Error(`seed ${seed} failed: ${cause instanceof Error ? cause.message : String(cause)}\n${schema.sql}`, { cause })
  } finally {
    live.close()
    copy.close()
  }
  return counts
}

test('captured changes make a copy equal to the original', () => {
  const first = Number(process.env['SEALDB_FUZZ_SEED'] ?? 1)
  const seeds = Number(process.env['SEALDB_FUZZ_SEEDS'] ?? 110)
  const total = { statements: 0, changes: 0, lost: 0 }
  for (let seed = first; seed < first + seeds; seed++) {
    const { statements, changes, lost } = runSeed(seed, 30)
    total.statements += statements
    total.changes += changes
    total.lost += lost
  }
  console.log(`capture fuzz: seeds ${first}…${first + seeds - 1}, ${total.statements} statements, ${total.changes} row changes, ${total.lost} transactions lost to ROLLBACK`)
  expect(total.changes).toBeGreaterThan(seeds * 10)
})
