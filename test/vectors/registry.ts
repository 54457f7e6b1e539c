/**
 * The registry of test vectors: one module in sources/ makes one JSON file beside this one, which another language can run.
 *
 * To add an area, write sources/<area>.ts with `export const source: VectorSource = { name: '<area>', build }` and run `npm run vectors`.
 * `build` is deterministic: fixed seeds, no clock. Bytes are lower-case hex, 64-bit integers decimal strings, REALs hex of their eight bytes.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

export interface VectorSource {
  /** File name without ".json". */
  readonly name: string
  build(): Json | Promise<Json>
}

/** Where the JSON lies. */
export const VECTORS_FOLDER = import.meta.dirname

/** Every source, in the order of file names. */
export async function loadSources(): Promise<readonly VectorSource[]> {
  const folder = join(VECTORS_FOLDER, 'sources')
  const files = readdirSync(folder).filter((file) => file.endsWith('.ts')).sort()
  const sources: VectorSource[] = []
  for (const file of files) {
    const module = (await import(pathToFileURL(join(folder, file)).href)) as { readonly source?: VectorSource }
    if (module.source === undefined) throw new Error(`${file} exports no source`)
    if (`${module.source.name}.ts` !== file) throw new Error(`${file} names its source ${module.source.name}`)
    sources.push(module.source)
  }
  return sources
}

/** One leaf array or object a line: short to read, and a change shows as the line it is. */
export function formatVectors(json: Json, indent = ''): string {
  const flat = JSON.stringify(json)
  if (json === null || typeof json !== 'object' || flat.length + indent.length <= 120) return flat
  const deeper = `${indent}  `
  const parts = Array.isArray(json)
    ? (json as readonly Json[]).map((item) => deeper + formatVectors(item, deeper))
    : Object.entries(json).map(([key, value]) => `${deeper}${JSON.stringify(key)}: ${formatVectors(value, deeper)}`)
  const [open, close] = Array.isArray(json) ? '[]' : '{}'
  return `${open}\n${parts.join(',\n')}\n${indent}${close}`
}
