// sqllogictest and sqlfuzz adapter: SealDB's public Database on encrypted tables (a real space in a memory store).
// Run from the repository: npm run slt -- ../shared/fixtures/slt/turso
import { register } from 'tsx/esm/api'

register()
const { adapter } = await import('./open.ts')

export const { engine, numbersAreReal, open } = adapter
