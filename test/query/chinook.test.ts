/** Chinook, a music shop of 11 tables: loaded as a script, imported as a file, asked the usual questions; everything as plain SQLite has it. */
import { existsSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { contents, newDatabase, reopen, type Opened } from './database-support.js'
import { plainSqlite, type PlainDatabase } from './plain-sqlite.js'

const SCRIPT = '../shared/fixtures/data/Chinook_Sqlite.sql'

const REPORTS: Readonly<Record<string, string>> = {
  'turnover by country and genre, over five tables': `
    SELECT c.Country, g.Name AS genre, count(*) AS lines, round(sum(l.UnitPrice * l.Quantity), 2) AS turnover
    FROM Customer c JOIN Invoice i USING (CustomerId) JOIN InvoiceLine l USING (InvoiceId) JOIN Track t USING (TrackId) JOIN Genre g USING (GenreId)
    GROUP BY c.Country, g.GenreId HAVING turnover > 20 ORDER BY turnover DESC, c.Country, genre`,
  'the ten best customers': `
    SELECT c.CustomerId, FirstName || ' ' || LastName AS name, sum(Total) AS spent FROM Customer c JOIN Invoice i ON i.CustomerId = c.CustomerId
    GROUP BY c.CustomerId ORDER BY spent DESC, name LIMIT 10`,
  'the two best sold albums of each genre': `
    WITH sold AS (SELECT t.GenreId, t.AlbumId, count(*) AS n FROM InvoiceLine l JOIN Track t USING (TrackId) GROUP BY t.GenreId, t.AlbumId),
      ranked AS (SELECT *, row_number() OVER (PARTITION BY GenreId ORDER BY n DESC, AlbumId) AS place FROM sold)
    SELECT g.Name, place, a.Title, ar.Name, n FROM ranked JOIN Genre g USING (GenreId) JOIN Album a USING (AlbumId) JOIN Artist ar USING (ArtistId) WHERE place <= 2 ORDER BY g.Name, place`,
  'turnover by month, running and moving': `
    SELECT month, total, round(sum(total) OVER (ORDER BY month), 2) AS running, round(avg(total) OVER (ORDER BY month ROWS BETWEEN 2 PRECEDING AND CURRENT ROW), 3) AS moving,
      lag(total) OVER (ORDER BY month) AS before, ntile(4) OVER (ORDER BY total, month) AS quarter
    FROM (SELECT strftime('%Y-%m', InvoiceDate) AS month, round(sum(Total), 2) AS total FROM Invoice GROUP BY 1) ORDER BY month`,
  'who reports to whom': `
    WITH RECURSIVE chain (id, name, depth, path) AS (
      SELECT EmployeeId, FirstName, 0, FirstName FROM Employee WHERE ReportsTo IS NULL
      UNION ALL SELECT e.EmployeeId, e.FirstName, depth + 1, path || ' > ' || e.FirstName FROM Employee e JOIN chain ON e.ReportsTo = chain.id)
    SELECT depth, name, path FROM chain ORDER BY path`,
  'what was never sold': 'SELECT count(*), min(Name), max(Milliseconds) FROM Track WHERE TrackId NOT IN (SELECT TrackId FROM InvoiceLine)',
  'customers without a purchase this year, by an outer join': `
    SELECT c.CustomerId, max(i.InvoiceDate) FROM Customer c LEFT JOIN Invoice i ON i.CustomerId = c.CustomerId AND i.InvoiceDate >= '2025-06-01' GROUP BY 1 HAVING count(i.InvoiceId) = 0 ORDER BY 1`,
  'playlists that hold all of an album': `
    SELECT p.Name, a.Title FROM Playlist p, Album a WHERE a.AlbumId < 40 AND NOT EXISTS (SELECT 1 FROM Track t WHERE t.AlbumId = a.AlbumId
      AND NOT EXISTS (SELECT 1 FROM PlaylistTrack pt WHERE pt.PlaylistId = p.PlaylistId AND pt.TrackId = t.TrackId)) ORDER BY p.PlaylistId, a.AlbumId`,
  'as JSON': `SELECT json_group_array(json_object('artist', Name, 'albums', (SELECT json_group_array(Title) FROM Album WHERE Album.ArtistId = Artist.ArtistId))) FROM Artist WHERE ArtistId <= 5`,
  'in brackets and quotes, across cases': `SELECT [Name], "UnitPrice", typeof(UnitPrice), hex(Name) FROM track WHERE name LIKE '%é%' OR NAME GLOB '*ç*' ORDER BY TRACKID`,
}

describe.skipIf(!existsSync(SCRIPT))('Chinook', () => {
  let sealed: Opened
  let plain: PlainDatabase
  beforeAll(async () => {
    const script = readFileSync(SCRIPT, 'utf8').replace(/^\ufeff/, '')
    plain = new (await plainSqlite()).Database()
    plain.exec(script)
    sealed = await newDatabase('chinook')
    await sealed.db.exec('BEGIN')
    await sealed.db.exec(script)
    await sealed.db.exec('COMMIT')
  }, 120_000)
  afterAll(() => sealed.close())

  const table = async ({ db }: Pick<Opened, 'db'>, sql: string): Promise<unknown> => (await db.query(sql)).rows.length === 0 ? [] : [{ columns: (await db.query(sql)).columns, values: (await db.queryRaw(sql)).rows.map((row) => row.map((value) => (typeof value === 'bigint' ? Number(value) : value))) }]

  test('every row of every table', async () => {
    let count = 0
    for (const [name] of plain.exec("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1")[0]?.values ?? []) {
      const sql = `SELECT * FROM [${String(name)}] ORDER BY 1, 2`
      const expected = plain.exec(sql)
      count += expected[0]?.values.length ?? 0
      expect(await table(sealed, sql)).toEqual(expected)
    }
    expect(count).toBe(15_607)
  })

  for (const [name, sql] of Object.entries(REPORTS)) {
    test(name, async () => {
      const expected = plain.exec(sql)
      expect(expected[0]?.values.length).toBeGreaterThan(0)
      expect(await table(sealed, sql)).toEqual(expected)
    })
  }

  test('the same by import of the file, by export of that, and after reopening', async () => {
    const all = await contents(sealed.db)
    const other = await newDatabase('chinook file')
    expect(await other.db.import(plain.export())).toMatchObject({ rows: 15_607, refused: [] })
    expect(await contents(other.db)).toEqual(all)
    const again = await reopen(other, 'chinook file')
    expect(await contents(again.db)).toEqual(all)
    const out = new (await plainSqlite()).Database(await again.db.export())
    for (const sql of Object.values(REPORTS)) expect(out.exec(sql)).toEqual(plain.exec(sql))
    await again.close()
  })

  test('foreign keys hold once they are switched on', async () => {
    const { db } = sealed
    await db.exec('PRAGMA foreign_keys = ON')
    expect((await db.query('PRAGMA foreign_key_check')).rows).toEqual([])
    await expect(db.query('DELETE FROM Artist WHERE ArtistId = 1')).rejects.toThrow('FOREIGN KEY constraint failed')
    await expect(db.query('INSERT INTO Album (AlbumId, Title, ArtistId) VALUES (9999, ?, 9999)', ['x'])).rejects.toThrow('FOREIGN KEY constraint failed')
    await db.exec('PRAGMA foreign_keys = OFF')
  })
})
