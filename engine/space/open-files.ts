/** The parts of a space's files, put together: what applications call, and what whoever carries content to a relay asks. */
import { FileEntries } from './file-entries.js'
import { FileShelf } from './file-shelf.js'
import { type FileParts, Files } from './files.js'
import type { Space } from './space.js'

export function openFiles(space: Space, parts: FileParts): { readonly files: Files; readonly entries: FileEntries } {
  const shelf = new FileShelf(space.env, space.store)
  const entries = new FileEntries(space, shelf, parts.onLanded)
  return { files: new Files(space, shelf, entries, parts), entries }
}
