/** What a file says it imports: an independent program takes nothing from the engine. */
import { readFileSync } from 'node:fs'

/** In order; of `name` in this folder. */
export function importsOf(name: string): readonly (string | undefined)[] {
  const text = readFileSync(new URL(name, import.meta.url), 'utf8')
  return [...text.matchAll(/(?:from|import\()\s*'([^']+)'/g)].map(([, from]) => from)
}
