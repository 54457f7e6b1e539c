/** Files that a person names: what can't be read, or would be written over, is a wrong call and is told as one. */
import { closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { SealError } from '../../engine/errors.js'

/** Throws `bad-argument`. */
export function readInput(file: string): Uint8Array {
  try {
    return Uint8Array.from(readFileSync(file))
  } catch (cause) {
    throw wrongFile(`Expected a file that can be read, got ${file}`, cause)
  }
}

/** Of a file that will be read bit by bit. Throws `bad-argument`. */
export function inputStat(file: string): { readonly size: number } {
  try {
    const found = statSync(file)
    if (!found.isFile()) throw new SealError('bad-argument', `Expected a file, and ${file} is none.`)
    closeSync(openSync(file, 'r'))
    return found
  } catch (cause) {
    if (cause instanceof SealError) throw cause
    throw wrongFile(`Expected a file that can be read, got ${file}`, cause)
  }
}

/** UTF-8, without the byte order mark that some programs begin with. Throws `bad-argument`. */
export function readTextInput(file: string): string {
  const bytes = readInput(file)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new SealError('bad-argument', `Expected text in UTF-8, and ${file} is none.`, {}, { cause })
  }
}

/** A descriptor of a new file that this user alone can read. Never over something that is there. Throws `bad-argument`. */
export function createFile(file: string): number {
  try {
    return openSync(file, 'wx', 0o600)
  } catch (cause) {
    throw wrongFile(codeOf(cause) === 'EEXIST' ? `${file} is there already, and is not written over. Give another name` : `Expected a file that can be written, got ${file}`, cause)
  }
}

/** As `createFile`, with all that goes in. */
export function writeNew(file: string, bytes: Uint8Array): void {
  const descriptor = createFile(file)
  try {
    writeFileSync(descriptor, bytes)
  } finally {
    closeSync(descriptor)
  }
}

function wrongFile(message: string, cause: unknown): SealError {
  return new SealError('bad-argument', `${message} (${codeOf(cause)}).`, {}, { cause })
}

/** Node's code of a failed call: ENOENT, EACCES … */
function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
}
