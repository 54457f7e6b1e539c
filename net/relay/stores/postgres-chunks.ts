/** Chunks of files in PostgreSQL: a row each. One statement is one transaction, so a chunk is whole and durable when its put resolves. */
import { decodeHex, encodeHex } from '../../../engine/codec/bytes.js'
import { checkChunkName, checkStoredChunk, type ChunkStore } from '../../../engine/store/chunks.js'

export const CHUNK_SCHEMA = 'CREATE TABLE IF NOT EXISTS sealdb_chunk (space bytea NOT NULL, file bytea NOT NULL, number integer NOT NULL, bytes bytea NOT NULL, PRIMARY KEY (space, file, number))'

type Query = <R extends object>(doing: string, text: string, values: readonly unknown[]) => Promise<{ readonly rows: readonly R[] }>

/** `space`: its id. */
export function postgresChunks(query: Query, space: Uint8Array): ChunkStore {
  const id = Buffer.from(space)
  const fileOf = (group: string): Buffer => Buffer.from(decodeHex(group))
  return {
    groups: async () => {
      const { rows } = await query<{ file: Buffer; n: string }>('reading', 'SELECT file, count(*) AS n FROM sealdb_chunk WHERE space = $1 GROUP BY file', [id])
      return new Map(rows.map(({ file, n }) => [encodeHex(file), Number(n)]))
    },
    numbers: async (group) => {
      checkChunkName(group)
      const { rows } = await query<{ number: number }>('reading', 'SELECT number FROM sealdb_chunk WHERE space = $1 AND file = $2 ORDER BY number', [id, fileOf(group)])
      return rows.map(({ number }) => number)
    },
    get: async (group, number) => {
      checkChunkName(group, number)
      const { rows } = await query<{ bytes: Buffer }>('reading', 'SELECT bytes FROM sealdb_chunk WHERE space = $1 AND file = $2 AND number = $3', [id, fileOf(group), number])
      return rows[0] && new Uint8Array(rows[0].bytes)
    },
    put: async (group, number, bytes) => {
      checkStoredChunk(group, number, bytes)
      await query('storing', 'INSERT INTO sealdb_chunk (space, file, number, bytes) VALUES ($1, $2, $3, $4) ON CONFLICT (space, file, number) DO UPDATE SET bytes = excluded.bytes',
        [id, fileOf(group), number, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)])
    },
    sync: () => Promise.resolve(),
    remove: async (group) => {
      checkChunkName(group)
      await query('removing', 'DELETE FROM sealdb_chunk WHERE space = $1 AND file = $2', [id, fileOf(group)])
    },
  }
}
