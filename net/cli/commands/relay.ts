/** `sealdb relay`: one generic relay, for any number of spaces. */
import { decodeUtf8, encodeHex, encodeUtf8 } from '../../../engine/codec/bytes.js'
import { SealError } from '../../../engine/errors.js'
import { startRelay, type RelayStore, type ServerOptions } from '../../server.js'
import { fileRelayStore } from '../../relay/stores/file.js'
import { oneOf, text, wholeNumber, type Command, type Invocation } from '../command.js'
import { readTextInput } from '../files.js'
import { fingerprint } from '../fingerprint.js'
import { toJson } from '../output.js'

export const relay: Command = {
  name: 'relay',
  args: '',
  summary: 'run a relay',
  details: `Orders, stores and serves the sealed entries of any number of spaces. It can’t read them, and members notice if it
forges, drops, reorders or rewinds. No configuration needed. SIGTERM or SIGINT: finishes what is being stored, then ends.
/healthz and /metrics answer on the same port.`,
  options: {
    data: { type: 'string', value: 'DIR', help: 'where entries are kept (default ./relay)' },
    port: { type: 'string', short: 'p', value: 'N', help: 'port (default 7700; 0: any that is free)' },
    host: { type: 'string', value: 'ADDRESS', help: 'address to listen on (default 127.0.0.1)' },
    name: { type: 'string', value: 'NAME', help: 'its name in checkpoints, for good (default relay.<host>)' },
    verify: { type: 'string', value: 'DEPTH', help: 'full: refuse what members would reject (default); group: store it' },
    postgres: { type: 'string', value: 'URL', help: 'keep entries in PostgreSQL; many relays may share one' },
    'tls-cert': { type: 'string', value: 'FILE', help: 'certificate chain (PEM)' },
    'tls-key': { type: 'string', value: 'FILE', help: 'its private key (PEM)' },
    'max-spaces': { type: 'string', value: 'N', help: 'most spaces it takes (default 100000)' },
    'max-connections': { type: 'string', value: 'N', help: 'most connections at once (default 10000)' },
    'max-files': { type: 'string', value: 'MIB', help: 'room for the files of one space, in MiB (default 16384; 0: none)' },
    open: { type: 'boolean', help: 'serve whoever knows a space’s id, member or not: for experiments' },
    log: { type: 'string', value: 'FORM', help: 'json: events as JSON lines on stdout, without secrets' },
  },
  run: runRelay,
}

async function runRelay(invocation: Invocation): Promise<number> {
  const { output, around: { stop } } = invocation
  const host = text(invocation, 'host') ?? '127.0.0.1'
  const options = serverOptions(invocation, host)
  const json = output.json || oneOf(text(invocation, 'log') ?? 'text', '--log', ['text', 'json']) === 'json'
  const log = (event: string, facts: Readonly<Record<string, string | number>>): void =>
    output.print(json ? toJson({ time: new Date().toISOString(), event, ...facts }) : `${event} ${toJson(facts)}`)
  const store = await openStore(invocation)
  const running = await startOrClose(store, async () => startRelay({ ...options, store, name: await nameOf(store, text(invocation, 'name'), host), log }))
  const key = running.relay.publicKey
  if (json) log('listening', { url: running.url, key: encodeHex(key), fingerprint: fingerprint(key) })
  else {
    output.print(`Relay at ${output.style('bold', running.url)}`)
    output.print(`Key ${fingerprint(key)}`)
  }
  if (options.unsafeSkipRelayAuth === true) output.error(output.style('yellow', 'Open: it serves whoever knows a space’s id.'))
  await aborted(stop)
  await running.close()
  if (json) log('closed', {})
  return 0
}

function serverOptions(invocation: Invocation, host: string): ServerOptions {
  const cert = text(invocation, 'tls-cert')
  const key = text(invocation, 'tls-key')
  if ((cert === undefined) !== (key === undefined)) throw new SealError('bad-argument', 'Expected --tls-cert and --tls-key together.')
  const maxSpaces = text(invocation, 'max-spaces')
  const maxFiles = text(invocation, 'max-files')
  const maxConnections = text(invocation, 'max-connections')
  return {
    host,
    port: wholeNumber(text(invocation, 'port') ?? '7700', 'the port', { max: 65_535 }),
    verify: oneOf(text(invocation, 'verify') ?? 'full', '--verify', ['full', 'group']),
    unsafeSkipRelayAuth: invocation.options.open === true,
    ...(cert !== undefined && key !== undefined && { tls: { cert: readTextInput(cert), key: readTextInput(key) } }),
    limits: {
      ...(maxSpaces !== undefined && { maxSpaces: wholeNumber(maxSpaces, '--max-spaces') }),
      ...(maxFiles !== undefined && { maxFileBytes: wholeNumber(maxFiles, '--max-files', { max: 2 ** 30 }) * 1024 * 1024 }),
      ...(maxConnections !== undefined && { maxConnections: wholeNumber(maxConnections, '--max-connections') }),
    },
  }
}

async function openStore(invocation: Invocation): Promise<RelayStore> {
  const url = text(invocation, 'postgres')
  if (url === undefined) return fileRelayStore(text(invocation, 'data') ?? './relay')
  if (text(invocation, 'data') !== undefined) throw new SealError('bad-argument', 'Expected --data or --postgres, got both.')
  const { postgresRelayStore } = await import('../../relay/stores/postgres.js')
  return postgresRelayStore(url)
}

/** Clients pin the name with the key, so the first one stays, whatever address the relay listens on later. */
async function nameOf(store: RelayStore, asked: string | undefined, host: string): Promise<string> {
  const kept = decodeUtf8(await store.setOnce('name', encodeUtf8(asked ?? `relay.${host}`)))
  if (asked !== undefined && asked !== kept) throw new SealError('bad-argument', `This relay is called ${kept}, and its clients rely on it.`, { name: kept })
  return kept
}

async function startOrClose<T>(store: RelayStore, start: () => Promise<T>): Promise<T> {
  try {
    return await start()
  } catch (error) {
    await store.close()
    throw error
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
