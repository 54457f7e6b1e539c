import { defineConfig } from 'vitest/config'
import { fileURLToPath } from 'node:url'
import { nodeEntries } from './build.entries.js'

/** The package by its public names, as its users import it. */
const alias = Object.entries(nodeEntries).map(([name, path]) => ({
  find: new RegExp(`^sealdb${name === 'index' ? '' : `/${name}`}$`),
  replacement: fileURLToPath(new URL(path, import.meta.url)),
}))

export default defineConfig({
  resolve: { alias },
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
  },
})
