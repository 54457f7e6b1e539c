/** Opening a space for a command: store directory, passphrase, waiting until in step with the relay. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { openSpace, type Alert, type SealedSpace } from 'sealdb'
import { SealError } from '../../engine/errors.js'
import { fileStore } from '../../engine/store/file/file.js'
import type { StoreLocation } from '../../engine/store/store.js'
import { text, type Invocation, type OptionSpec } from './command.js'
import { readInput, readTextInput } from './files.js'
import { escapeControls } from './output.js'

/** Options of commands that open a space. */
export const STORE = {
  store: { type: 'string', short: 's', value: 'DIR', help: 'where this device keeps the space (default ./space)' },
  offline: { type: 'boolean', help: 'don’t connect to the relay' },
} as const satisfies Readonly<Record<string, OptionSpec>>

/** Options of commands that are nothing without the relay. */
export const ONLINE_STORE = { store: STORE.store }

/** Options of commands that make this device known to others. */
export const PROFILE = {
  name: { type: 'string', short: 'n', value: 'NAME', help: 'your name, as other members see it' },
  device: { type: 'string', value: 'NAME', help: 'this device’s name' },
} as const satisfies Readonly<Record<string, OptionSpec>>

/** How long a command waits for the relay before it goes on with what is here. */
export const ONLINE_WITHIN = 10_000

/** For a new space. */
export function storeOf(invocation: Invocation): StoreLocation {
  return fileStore(directoryOf(invocation), secretOf())
}

/** For one that is there: a mistyped directory is no place to make an empty store. */
export function existingStoreOf(invocation: Invocation): StoreLocation {
  const directory = directoryOf(invocation)
  if (!existsSync(join(directory, 'manifest'))) throw new SealError('bad-argument', `There is no space in ${directory}. See: sealdb create --help, sealdb join --help`)
  return storeOf(invocation)
}

function directoryOf(invocation: Invocation): string {
  return text(invocation, 'store') ?? './space'
}

export function profileOf(invocation: Invocation): { readonly name?: string; readonly device?: string } {
  const name = text(invocation, 'name')
  const device = text(invocation, 'device')
  return { ...(name !== undefined && { name }), ...(device !== undefined && { device }) }
}

/** What the store's secrets are sealed with: from the environment or a file, never from the command line, which others can read. */
function secretOf(): { readonly passphrase: string } | { readonly key: Uint8Array } | Record<string, never> {
  const { SEALDB_PASSPHRASE: passphrase, SEALDB_PASSPHRASE_FILE: file, SEALDB_KEY_FILE: keyFile } = process.env
  if (keyFile !== undefined) return { key: readInput(keyFile) }
  if (passphrase !== undefined) return { passphrase }
  return file === undefined ? {} : { passphrase: readTextInput(file).replace(/\r?\n$/, '') }
}

/** Runs `work` on the open space and closes it, whatever happens. Alerts go to stderr, but for one that is what was asked for. */
export async function withSpace(invocation: Invocation, work: (space: SealedSpace) => Promise<number>, expected?: Alert['code']): Promise<number> {
  const { output } = invocation
  const progress = output.progress('receiving')
  const space = await openSpace({ store: existingStoreOf(invocation), offline: true, onProgress: (entries) => progress.update(entries) })
  space.on('alert', ({ code, message }) => {
    if (code !== expected) output.error(`${output.style('red', `alert: ${code}`)}: ${escapeControls(message)}`)
  })
  try {
    if (invocation.options.offline !== true && space.engine.relay) {
      await connect(space, invocation)
    }
    progress.done()
    const code = await work(space)
    if (space.connection === 'online' && !(await within(space.settled(), ONLINE_WITHIN))) {
      output.error(output.style('yellow', `${space.pending} entries wait for the relay; they are kept and sent next time.`))
    }
    return code
  } finally {
    await space.close()
  }
}

/** For acts that are done only when they are in the log; a space without a relay has its own. Throws `disconnected`. */
export function requireOnline(space: SealedSpace): void {
  if (space.engine.relay && space.connection !== 'online') throw new SealError('disconnected', 'The relay can’t be reached, and this needs it.')
}

/** Until in step with the relay, or the first attempt has failed: whoever is offline should not wait long for what is here. */
async function connect(space: SealedSpace, { output }: Invocation): Promise<void> {
  let reason = ''
  const failed = new Promise<void>((resolve) => {
    const stop = space.on('state', (_, error) => {
      if (!error) return
      reason = ` (${error.code}: ${escapeControls(error.message)})`
      stop()
      resolve()
    })
  })
  space.connect()
  await within(Promise.race([space.online().catch(() => undefined), failed]), ONLINE_WITHIN)
  if (space.connection !== 'online') output.error(output.style('yellow', `Not connected to the relay${reason}; going on with what is here.`))
}

/** True if it came in time. */
export async function within(promise: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<boolean>((resolve) => { timer = setTimeout(() => resolve(false), milliseconds) })
  try {
    return await Promise.race([promise.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}
