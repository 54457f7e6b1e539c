/** The entry points of the package, one line each: the build, the exports of package.json and the architecture test read this list. */
export const browserEntries: Readonly<Record<string, string>> = {
  index: 'index.ts',
  verify: 'engine/verify.ts',
  'store/memory': 'engine/store/memory.ts',
  'store/indexeddb': 'engine/store/indexeddb.ts',
  kysely: 'query/kysely.ts',
  drizzle: 'query/drizzle.ts',
}
export const nodeEntries: Readonly<Record<string, string>> = {
  index: 'index.ts',
  relay: 'net/server.ts',
  cli: 'net/cli/main.ts',
  verify: 'engine/verify.ts',
  'store/memory': 'engine/store/memory.ts',
  'store/file': 'engine/store/file/file.ts',
  kysely: 'query/kysely.ts',
  drizzle: 'query/drizzle.ts',
}
