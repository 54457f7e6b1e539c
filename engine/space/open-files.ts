/** The parts of a space's files, put together: what applications call, and what whoever carries content to a relay asks. */
import { FileEntries } from './file-entries.js'
import { FileShelf } from './file-shelf.js'
import { type ChunkSource, Files } from './files.js'
import type { Space } from './space.js'

export interface FileParts {
  readonly random: (length: number) => Uint8Array
  readonly source: ChunkSource
  /** A file that was put here is in the log: a relay may lack its content. */
  readonly onLanded: () => void
}

export function openFiles(space: Space, { random, source, onLanded }: FileParts): { readonly files: Files; readonly entries: FileEntries } {
  const shelf = new FileShelf(space.env, space.store)
  const entries = new FileEntries(space, shelf, onLanded)
  return { files: new Files(space, shelf, entries, random, source), entries }
}
