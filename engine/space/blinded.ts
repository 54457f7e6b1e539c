/**
 * Which generation of the blinding secret keys are of (PROTOCOL.md §8.6): row keys of tables with a blinded key, and unique tokens, say so in their first byte.
 * While a space is re-blinded two are alive, and what lies under the older one is a few ranges of the state.
 */
import { metaOf } from '../group/roster.js'
import { type StateReader } from '../state/context.js'
import { generationByte, generationPrefix, indexPrefix, prefixEnd, rowPrefix } from '../state/keys.js'
import { type ObjectRecord } from './catalog.js'

type Blinded = Pick<ObjectRecord, 'generation' | 'table'>

/** Prefixes of state keys under which an object has keys of a generation: its rows, if their key is blinded, and each unique blind index. */
export function blindedPrefixes(id: number, { table }: Blinded, generation: number): { readonly rows: Uint8Array | undefined; readonly indexes: readonly Uint8Array[] } {
  const unique = table?.indexes.filter((index) => index.kind === 'blind' && index.unique) ?? []
  return {
    rows: table?.key === 'blinded' ? generationPrefix(rowPrefix(id), generation) : undefined,
    indexes: unique.map((index) => generationPrefix(indexPrefix(id, index.id), generation)),
  }
}

/** How many keys of this generation the object has; its name's token not counted. */
export function countBlinded(state: Pick<StateReader, 'count'>, id: number, object: Blinded, generation: number): number {
  const { rows, indexes } = blindedPrefixes(id, object, generation)
  return [...(rows ? [rows] : []), ...indexes].reduce((sum, prefix) => sum + state.count(prefix, prefixEnd(prefix)), 0)
}

export function isBlindedUnder(state: Pick<StateReader, 'count'>, id: number, object: Blinded, generation: number): boolean {
  return object.generation === generation || countBlinded(state, id, object, generation) > 0
}

/** The generation that a key of a table with generation `newest` is of, by its first byte: that one, the one before, or none that may be there. */
export function generationOf(newest: number, token: Uint8Array, at = 0): number | undefined {
  const byte = token[at]
  return byte === generationByte(newest) ? newest : newest > 1 && byte === generationByte(newest - 1) ? newest - 1 : undefined
}

/** The generation before the object's own, if keys may still be of it: the space is being re-blinded and the object's turn has come. */
export function olderGeneration(state: StateReader, { generation }: Pick<ObjectRecord, 'generation'>): number | undefined {
  // Of most spaces nothing is read for it.
  return generation > 1 && metaOf(state).firstGeneration < generation ? generation - 1 : undefined
}
