/** The version of the package that this file is part of: in the sources and in the bundle. */
import { existsSync, readFileSync } from 'node:fs'
import { SealError } from '../../engine/errors.js'

export function readVersion(): string {
  for (let at = new URL('./', import.meta.url); at.pathname !== '/'; at = new URL('../', at)) {
    const file = new URL('package.json', at)
    if (!existsSync(file)) continue
    const { name, version } = JSON.parse(readFileSync(file, 'utf8')) as { readonly name?: string; readonly version?: string }
    if (name === 'sealdb' && version !== undefined) return version
  }
  throw new SealError('invariant', 'The package.json of sealdb is not above its program.')
}
