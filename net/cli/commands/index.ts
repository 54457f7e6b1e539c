/** Every command, loaded when it is asked for: most need SQL or a relay, few need both. */
import type { Command } from '../command.js'

export const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  relay: async () => (await import('./relay.js')).relay,
  create: async () => (await import('./create.js')).create,
  join: async () => (await import('./join.js')).join,
  sql: async () => (await import('./sql.js')).sql,
  inspect: async () => (await import('./inspect.js')).inspect,
  invite: async () => (await import('./invite.js')).invite,
  members: async () => (await import('./members.js')).members,
  role: async () => (await import('./role.js')).role,
  revoke: async () => (await import('./revoke.js')).revoke,
  remove: async () => (await import('./remove.js')).remove,
  rotate: async () => (await import('./rotate.js')).rotate,
  forget: async () => (await import('./forget.js')).forget,
  leave: async () => (await import('./leave.js')).leave,
  attach: async () => (await import('./attach.js')).attach,
  log: async () => (await import('./log.js')).log,
  verify: async () => (await import('./verify.js')).verify,
  audit: async () => (await import('./audit.js')).audit,
  'accept-rollback': async () => (await import('./accept-rollback.js')).acceptRollback,
  prove: async () => (await import('./prove.js')).prove,
  'verify-receipt': async () => (await import('./verify-receipt.js')).verifyReceipt,
  file: async () => (await import('./file.js')).file,
  export: async () => (await import('./export.js')).exportCommand,
  import: async () => (await import('./import.js')).importCommand,
  bench: async () => (await import('./bench.js')).bench,
}
