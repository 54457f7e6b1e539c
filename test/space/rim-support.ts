/** Real spaces for tests: real crypto, a seeded source of randomness, a clock that is told. */
import { loadProvider } from '../../engine/crypto/load.js'
import type { SpaceOptions } from '../../engine/space/space.js'
import type { CatalogObject, Draft, RowChange, RowView, View } from '../../engine/space/types.js'

export const crypto = await loadProvider()

/** SHA-256 in counter mode: the same seed, the same test. */
export function seededRandom(seed: string): (length: number) => Uint8Array {
  let counter = 0
  return (length) => {
    const out = new Uint8Array(length)
    for (let at = 0; at < length; at += 32) out.set(crypto.sha256(new TextEncoder().encode(`${seed}/${counter++}`)).subarray(0, Math.min(32, length - at)), at)
    return out
  }
}

export function optionsOf(seed: string): SpaceOptions {
  let now = 1_700_000_000_000
  return { crypto, random: seededRandom(seed), now: () => (now += 1_000) }
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A table with a plain key, one plaintext column (id 1) and a sealed body. */
export function taskTable(id: number): CatalogObject {
  return { id, kind: 'table', sealed: utf8('task'), table: { key: 'plain', plain: [{ id: 1, type: 'integer', notNull: false }], indexes: [], policies: [] } }
}

export function createTable(object: CatalogObject, name: string): Draft {
  return { catalog: [{ kind: 'create', object, name }], rows: [], reads: [] }
}

export function put(kind: 'insert' | 'update', table: number, key: bigint, plain: bigint, body: string): RowChange {
  return { kind, table, key: [key], row: { plain: [plain], blind: [], body: utf8(body) } }
}

export function rows(...changes: readonly RowChange[]): Draft {
  return { catalog: [], rows: changes, reads: [] }
}

/** The plaintext column of the row with key 0: in crash tests, how many transactions there were. */
export function countOf(view: View): number {
  const [row] = view.catalog.length === 0 ? [] : view.rows(1, { kind: 'key', key: [0n] })
  return row === undefined ? 0 : Number((row as RowView).plain[0])
}

