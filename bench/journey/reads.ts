/** Reading what is warm, against sql.js as it comes: the same rows, the same statements, in turns. */
import type { Database as SqlJs } from 'sql.js'
import type { SealedSpace } from 'sealdb'
import type { Figure } from '../bars.js'
import { sideBySide } from '../clock.js'
import { short } from '../report.js'

const QUERIES = {
  scan: 'SELECT id, title FROM task WHERE note LIKE \'%nobody%\' OR hours = 96',
  join: 'SELECT count(*), sum(length(p.name)) FROM task t JOIN person p ON p.id = t.owner WHERE t.hours > 50',
  aggregate: 'SELECT owner, count(*), sum(hours), max(title) FROM task GROUP BY owner ORDER BY owner',
} as const

export async function reads(space: SealedSpace, peer: SqlJs, rows: number, times: number): Promise<Figure[]> {
  const figures: Figure[] = [await points(space, peer, rows, times)]
  for (const [name, sql] of Object.entries(QUERIES)) {
    const { ours, theirs } = await sideBySide(times, () => space.query(sql), () => peerRows(peer, sql))
    figures.push({ name, value: theirs.cpu / ours.cpu, unit: '× sql.js', note: `${short(ours.cpu)} ms of CPU, sql.js ${short(theirs.cpu)} ms, ${rows} rows` })
  }
  return figures
}

async function points(space: SealedSpace, peer: SqlJs, rows: number, times: number): Promise<Figure> {
  const sql = 'SELECT title, hours FROM task WHERE id = ?'
  const [statement, theirStatement] = [space.prepare(sql), peer.prepare(sql)]
  const count = 5_000
  const key = (i: number): number => (i * 7919) % rows
  const { ours, theirs } = await sideBySide(times,
    async () => { for (let i = 0; i < count; i++) await statement.get([key(i)]) },
    () => { for (let i = 0; i < count; i++) theirStatement.getAsObject([key(i)]) })
  theirStatement.free()
  const each = (ms: number): string => `${short((1e3 * ms) / count)} µs`
  return { name: 'point SELECT, prepared', value: theirs.cpu / ours.cpu, unit: '× sql.js', note: `${each(ours.cpu)} of CPU, sql.js ${each(theirs.cpu)}, ${rows} rows` }
}

/** As its documentation does it. */
function peerRows(peer: SqlJs, sql: string): object[] {
  const statement = peer.prepare(sql)
  const found: object[] = []
  while (statement.step()) found.push(statement.getAsObject())
  statement.free()
  return found
}
