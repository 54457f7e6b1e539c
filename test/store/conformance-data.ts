/** Records that tell their index, and how to read a snapshot: for the suites and for the child processes they start. */
import { encodeUtf8 } from '../../engine/codec/bytes.js'
import type { Store, StoredSnapshot } from '../../engine/store/store.js'

export const bytes = encodeUtf8
export const record = (index: number, length = 300): Uint8Array => new Uint8Array(length).map((_, i) => (index * 31 + i * 7) & 255)
export const records = (from: number, to: number): Uint8Array[] => Array.from({ length: to - from }, (_, i) => record(from + i))

export async function readChunks(snapshot: StoredSnapshot | undefined): Promise<Uint8Array[]> {
  const out: Uint8Array[] = []
  for await (const chunk of snapshot?.chunks ?? []) out.push(chunk)
  return out
}

/** Everything a store shows, for comparison. */
export async function contents(store: Store): Promise<unknown> {
  const snapshot = await store.readSnapshot()
  return {
    first: store.first,
    size: store.size,
    records: (await store.read(store.first, store.size)).map(toHex),
    values: store.names('').map((name) => [name, toHex(store.get(name) ?? new Uint8Array(0))]),
    snapshot: snapshot && { meta: toHex(snapshot.meta), chunks: (await readChunks(snapshot)).map(toHex) },
  }
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
